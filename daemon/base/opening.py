"""Opens things on a thread, so that none stays open when whoever waited for it has gone."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


async def opened_on(executor: Executor, work: Callable[[], T], *, close: Callable[[T], object]) -> T:
    """Run what opens something, and return it; if whoever waits is cancelled, it is closed as soon as it is there.

    A thread cannot be cancelled. Without this, what it opens after that would belong to nobody.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(lambda done: _close(done, close))
        raise


def _close(done: "asyncio.Future[T]", close: Callable[[T], object]) -> None:
    if not done.cancelled() and done.exception() is None:
        close(done.result())

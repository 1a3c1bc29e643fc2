"""Reads off the event loop, on a few threads of their own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
_END = object()


class Reader:
    """Runs read-only work, each on a snapshot of its own."""

    def __init__(self, engine: Engine, *, threads: int = 2) -> None:
        self._engine = engine
        # While one connection is open, a further one has nothing to write. Without it, the next one would have to make
        # SQLite's side files anew, and on a full disk nothing could be read any more.
        self._held = engine.raw_connection()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="db-read")
        self._running: set[Future[Any]] = set()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns."""
        running = self._threads.submit(self._run, work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(running)

    def connect(self) -> AbstractContextManager[Connection]:
        """Open a connection for work that runs on one of our threads."""
        return self._engine.connect()

    async def iterate(self, make: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """Yield what an iterator yields, each step off the loop."""
        loop = asyncio.get_running_loop()
        # A thread of its own: a SQLite connection stays on its thread, and a slow reader must not make others wait.
        with ThreadPoolExecutor(1, thread_name_prefix="db-stream") as thread:
            iterator = await loop.run_in_executor(thread, make)
            try:
                while True:
                    item = await loop.run_in_executor(thread, next, iterator, _END)
                    if item is _END:
                        return
                    yield item  # type: ignore[misc]
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    await loop.run_in_executor(thread, close)

    async def close(self) -> None:
        """Wait for the reads under way and end the threads."""
        self._threads.shutdown(wait=False)  # takes no more; the wait that follows does not hold up the loop
        running = [asyncio.wrap_future(one) for one in tuple(self._running)]
        await asyncio.gather(*running, return_exceptions=True)
        self._held.close()

    def _run(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            return work(connection)

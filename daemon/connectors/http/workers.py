"""This room's own threads for work on large bodies, so that the event loop stays free."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# Below this, the work takes a millisecond or two at the most, also for a text that is all escapes.
_INLINE_BYTES = 32 * 1024


class BodyWorkers:
    """Runs work on bodies: small ones at once, large ones on a thread."""

    def __init__(self, *, threads: int = 2) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="aileron-http")

    async def run(self, work: Callable[[], T], *, size: int, inline_bytes: int = _INLINE_BYTES) -> T:
        """Return what the work gives, whichever way it runs."""
        if size <= inline_bytes:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Give the threads back when their work is done."""
        self._executor.shutdown(wait=True, cancel_futures=True)

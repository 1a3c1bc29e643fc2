"""Threads for work on large bodies, so that the event loop stays free for everybody else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# Work on this many bytes takes two milliseconds at most, even on a text of nothing but escapes.
_INLINE_BYTES = 32 * 1024


class BodyWorkers:
    """Runs work on bodies: small ones at once, large ones on a thread."""

    def __init__(self, *, threads: int = 2) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="aileron-http")

    async def run(self, work: Callable[[], T], *, size: int, inline_bytes: int = _INLINE_BYTES) -> T:
        """Do the work and return its result."""
        if size <= inline_bytes:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Give the threads back when their work is done."""
        self._executor.shutdown(wait=True, cancel_futures=True)

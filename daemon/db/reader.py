"""Reads off the event loop, on a few threads of their own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
_END = object()


class Reader:
    """Runs read-only work, each on a snapshot of its own."""

    def __init__(self, engine: Engine, *, threads: int = 2) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="db-read")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    def connect(self) -> AbstractContextManager[Connection]:
        """Open a connection for work that runs on one of our threads."""
        return self._engine.connect()

    async def iterate(self, make: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """Yield what an iterator yields, each step off the loop."""
        loop = asyncio.get_running_loop()
        # A thread of its own: SQLite connections stay where they were opened, and a slow reader must hold up nobody.
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
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    def _run(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            return work(connection)

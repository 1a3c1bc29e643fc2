"""Tells which processes still run, on a thread beside the event loop: macOS must start `ps` to find out."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from daemon.base.platform import Fate, fate_of, process_identity


class Processes:
    """Looks at processes on a thread of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="processes")

    async def identity(self, pid: int) -> str | None:
        """Return what tells a process from later ones with its number, or None if there is none.

        Raises CannotTellError when that cannot be said just now.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, process_identity, pid)

    async def gone(self, known: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
        """Return those of the known processes that have certainly ended. UNKNOWN is not among them."""
        asked = set(known)

        def look() -> set[tuple[int, str]]:
            return {(pid, identity) for pid, identity in asked if fate_of(pid, identity) is Fate.GONE}

        return await asyncio.get_running_loop().run_in_executor(self._thread, look) if asked else set()

    def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown(wait=True, cancel_futures=True)

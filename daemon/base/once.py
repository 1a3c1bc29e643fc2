"""Something that happens at most once, such as that a caller leaves: others listen for it, or wait."""

import asyncio
from collections.abc import Callable


class Once:
    """An event that also calls back, so that nobody needs a task to notice it. It belongs to the loop's thread."""

    __slots__ = ("_happened", "_listeners")

    def __init__(self) -> None:
        self._happened = False
        self._listeners: list[Callable[[], None]] = []

    def set(self) -> None:
        """Say that it has happened; a second time changes nothing."""
        if not self._happened:
            self._happened = True
            for listener in self._listeners:
                asyncio.get_running_loop().call_soon(listener)

    def is_set(self) -> bool:
        """Say whether it has happened."""
        return self._happened

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called soon after it has happened, also if it has happened already."""
        self._listeners.append(listener)
        if self._happened:
            asyncio.get_running_loop().call_soon(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Call a function no more. One that is due in this turn of the loop may still be called."""
        self._listeners.remove(listener)

    async def wait(self) -> None:
        """Wait until it has happened."""
        if self._happened:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def happened() -> None:
            if not waiter.done():
                waiter.set_result(None)

        self.listen(happened)
        try:
            await waiter
        finally:
            self.forget(happened)

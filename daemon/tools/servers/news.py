"""Tells whoever listens that something has changed; who is slow hears of several changes as of one."""

import asyncio
from collections.abc import AsyncGenerator


class News:
    """Those who listen. All of it belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()

    def tell(self) -> None:
        """Say that something has changed."""
        for listener in self._listeners:
            listener.set()

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yield at each change from now on."""
        changed = asyncio.Event()
        self._listeners.add(changed)
        try:
            while True:
                await changed.wait()
                changed.clear()
                yield
        finally:
            self._listeners.discard(changed)

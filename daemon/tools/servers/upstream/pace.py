"""Slows down the reading from a server that says too much unasked."""

import asyncio

_BYTES_AS_ONE = 1 << 16


class Pace:
    """Counts what comes unasked in each second. Over the limit, the reader waits, and so the server waits, too."""

    def __init__(self, each_second: int) -> None:
        self._each_second = each_second
        self._count = 0
        self._began = 0.0
        self._dropped = 0

    def unasked(self) -> None:
        """Count one message that nobody asked for."""
        self._count += 1

    def dropped(self, size: int) -> None:
        """Count bytes that were thrown away."""
        self._dropped += size
        self._count += self._dropped // _BYTES_AS_ONE
        self._dropped %= _BYTES_AS_ONE

    async def rest(self) -> None:
        """Wait until the second is over, if too much came in it."""
        if not self._count:
            return
        now = asyncio.get_running_loop().time()
        if now - self._began >= 1:
            self._began, self._count = now, 0
        elif self._count > self._each_second:
            await asyncio.sleep(self._began + 1 - now)

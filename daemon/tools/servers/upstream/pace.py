"""Slows down the reading from a server that says too much unasked."""

import asyncio

_BYTES_AS_ONE = 1 << 16


class Pace:
    """Counts what comes unasked in each second. Over the limit, the reader waits, and so the server waits, too."""

    def __init__(self, each_second: int) -> None:
        self._each_second = each_second
        self.count = 0
        """What has come unasked since the time was looked at last."""
        self._began = 0.0
        self._dropped = 0

    def unasked(self, count: int = 1) -> None:
        """Count messages that nobody asked for."""
        self.count += count

    def dropped(self, size: int) -> None:
        """Count bytes that were thrown away."""
        self._dropped += size
        self.count += self._dropped // _BYTES_AS_ONE
        self._dropped %= _BYTES_AS_ONE

    @property
    def is_over(self) -> bool:
        """Say whether too much has come since the last rest to go on without looking at the time."""
        return self.count > self._each_second

    def rest_seconds(self) -> float:
        """Return how long to wait until the second is over, if too much came in it; 0 if nothing needs to wait."""
        if not self.count:
            return 0.0
        now = asyncio.get_running_loop().time()
        if now - self._began >= 1:
            self._began, self.count = now, 0
        return self._began + 1 - now if self.count > self._each_second else 0.0

    async def rest(self) -> None:
        """Wait so long."""
        if (seconds := self.rest_seconds()) > 0:
            await asyncio.sleep(seconds)

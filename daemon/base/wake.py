"""One waiter that others wake: an event with a time limit, at a fifth of the price, for the path of a call."""

import asyncio


class Wake:
    """Remembers that something has happened until its one waiter has taken notice. It belongs to the loop's thread."""

    __slots__ = ("_happened", "_waiter")

    def __init__(self) -> None:
        self._happened = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Note that something has happened, and wake the waiter."""
        self._happened = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for something to happen; False if nothing did in this time. What happened before counts once."""
        if not self._happened:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = None if seconds is None else loop.call_later(seconds, self._time_is_over)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        happened, self._happened = self._happened, False
        return happened

    def _time_is_over(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

"""Lets long polls and streams end when the daemon stops, instead of holding it up."""

import asyncio


class Stopping:
    """Knows whether the daemon is stopping."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def bounded(self, seconds: float) -> float:
        """Return how long a poll may wait: no time at all once the daemon is stopping."""
        return 0.0 if self.event.is_set() else seconds

"""How the time of a call is counted: from the moment it computes, not from its arrival."""

from daemon.base.clock import Clock


class CallTime:
    """The time that one call has. It starts with the guest, and does not count while the guest queues for a place.

    The event loop's thread writes it, while the guest does not run; the guest's thread reads it.
    """

    __slots__ = ("_clock", "_held_since", "deadline", "seconds")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._held_since: float | None = None
        self.seconds = seconds
        self.deadline = clock.monotonic() + seconds
        """When the time is up, on the clock's monotonic scale; moved by begin() and by every wait in a queue."""

    def begin(self) -> None:
        """Count from now."""
        self.deadline = self._clock.monotonic() + self.seconds

    def hold(self) -> None:
        """Stop counting: the call waits for a place."""
        self._held_since = self._clock.monotonic()

    def go_on(self) -> None:
        """Count again, if counting was stopped."""
        if self._held_since is not None:
            self.deadline += self._clock.monotonic() - self._held_since
            self._held_since = None

    def remaining(self) -> float:
        """Return the seconds left."""
        return self.deadline - self._clock.monotonic()

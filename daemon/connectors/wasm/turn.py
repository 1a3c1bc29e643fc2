"""How a call waits for its turn, and how its time is counted: from the moment it computes, not from its arrival."""

from collections.abc import Callable
from dataclasses import dataclass

from daemon.base.clock import Clock
from daemon.core.fairness import Rank


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """In whose name a call waits, and for how long."""

    session: str = ""
    rank: Rank = Rank.NEW
    wait_seconds: float | None = None
    """After this time it gives up and says that the daemon is busy; None for a call that must not give up."""
    on_start: Callable[[], None] = _nothing
    """Called on the event loop when the guest gets its place; what it raises ends the call before it has begun."""


NO_SESSION = Turn()
"""The turn of the daemon's own calls, and of the person's: they share a part of their own."""


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

"""How a call waits for its turn: in whose name, in which order, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass

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

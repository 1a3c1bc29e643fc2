"""What a log must hold, as far as it is known from outside the database."""

from dataclasses import dataclass

from daemon.audit.events import GENESIS
from daemon.audit.seal import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Bounds of a whole log: what must be in it, and behind what nothing may come."""

    checkpoint: Place = (0, GENESIS)
    """The last checkpoint that was made for certain."""
    number: int = 0
    """How many checkpoints there are at least."""
    most_checkpoints: int | None = None
    """How many there can be at most; None if that is not known."""
    every: int | None = None
    """The longest stretch behind the last checkpoint; None if that is not known."""
    reached: Place = (0, GENESIS)
    """An event that is in the log for certain."""
    end: int | None = None
    """The number of the last event that can be there; None if that is not known."""
    resumed: int = 0
    """The event with which a person went on with a damaged log; damage before it is known."""

    @property
    def places(self) -> dict[int, str]:
        """Return the events that are vouched for, with their hashes."""
        return {seq: digest for seq, digest in (self.checkpoint, self.reached) if seq}

"""Named points at which the crash harness may end the process; in ordinary runs they do nothing."""

from typing import Protocol


class FaultPoints(Protocol):
    """Something that is told when a named point is reached."""

    def hit(self, name: str) -> None:
        """Note that the named point was reached."""
        ...


class _NoFaults:
    def hit(self, name: str) -> None:
        """Do nothing."""


NO_FAULTS: FaultPoints = _NoFaults()

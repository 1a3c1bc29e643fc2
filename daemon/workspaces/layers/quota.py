"""When a sandbox that writes too much is ended: how often its layer is measured, and what is too much. Pure."""

from dataclasses import dataclass

_LEAST_SECONDS = 1.0
_MOST_SECONDS = 30.0
_SHARE = 10
"""Measuring may take at most this part of the time: one in so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a layer may take of the disk."""

    quota: int
    """What may be written into it."""
    spare: int
    """What must stay free on the disk."""

    def problem(self, *, written: int, free: int) -> str:
        """Say why a sandbox must end; empty if it may go on."""
        if written > self.quota:
            return f"it wrote more than {_size(self.quota)} into its workspace ([workspace] quota)"
        if free < self.spare:
            return f"less than {_size(self.spare)} is free on the disk of the workspaces ([workspace] spare)"
        return ""

    def pause(self, *, written: int, took_seconds: float) -> float:
        """Return how long to wait: less, the nearer the bound is, and more, the longer it takes to look."""
        near = _MOST_SECONDS * max(0, self.quota - written) / self.quota
        return max(_LEAST_SECONDS, took_seconds * _SHARE, near)

    def may_be_near(self, *, written: int, taken_since: int) -> bool:
        """Say whether the bound may be near, because so much was taken of the disk since the last look, by anybody."""
        return taken_since > (self.quota - written) / 4


def _size(number: int) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= factor and number % factor == 0:
            return f"{number // factor} {unit}"
    return f"{number} B"

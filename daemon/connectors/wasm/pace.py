"""Which sessions compute only for short moments at a time, and may therefore have more places.

A guest cannot be stopped in the middle to let another one go. A session whose guests give their places back within
milliseconds harms nobody with several of them. One whose guests keep them would slow every other session down, on a
machine with few processors above all. So a session begins with few places and is given all of its share when a number
of its guests in a row have been quick.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

QUICK_SECONDS = 0.05
"""A guest that computes for longer than this at a stretch is not quick."""
PROVEN = 16
"""So many quick stretches in a row make a session a quick one."""


@dataclass(slots=True)
class _Seen:
    quick: int = 0
    running: dict[object, float] = field(default_factory=dict)
    """When each guest that computes now began to, oldest first."""


class Paces:
    """How long the guests of each session have computed at a stretch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen: dict[str, _Seen] = {}

    def begins(self, session: str, guest: object) -> None:
        """Note that a guest computes from now on."""
        self._seen.setdefault(session, _Seen()).running[guest] = self._now()

    def ends(self, session: str, guest: object) -> None:
        """Note that it has given its place back."""
        seen = self._seen[session]
        quick = self._now() - seen.running.pop(guest) <= QUICK_SECONDS
        seen.quick = min(PROVEN, seen.quick + 1) if quick else 0

    def is_quick(self, session: str) -> bool:
        """Say whether this session's guests were quick lately, and none computes for long now."""
        seen = self._seen.get(session)
        if seen is None or seen.quick < PROVEN:
            return False
        oldest = next(iter(seen.running.values()), None)
        return oldest is None or self._now() - oldest <= QUICK_SECONDS

    def forget(self, session: str) -> None:
        """Forget a session that has no calls any more."""
        self._seen.pop(session, None)

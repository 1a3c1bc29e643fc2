"""Time and identity as values that come in from the edge: what a clock is, and how times are written."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from daemon.core.ids import ENTROPY_BYTES, IdPrefix, make_id

_DRAWN_AT_ONCE = 64

Entropy = Callable[[int], bytes]
"""A source of random bytes, such as os.urandom."""


class Clock(Protocol):
    """Where a service reads the time."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of a span of time by two clocks; it has come as soon as either of them says so.

    The wall clock can be set back, and then it would let a span last longer. The steady clock stands still while a
    laptop sleeps, and knows nothing of the time before the daemon was started.
    """

    wall_ms: int
    steady: float

    @classmethod
    def of(cls, clock: Clock, *, since_ms: int, until_ms: int) -> "Deadline":
        """Begin to count towards an end; never more than the whole span, should the wall clock have been set back."""
        left_ms = min(until_ms - clock.now_ms(), until_ms - since_ms)
        return cls(until_ms, clock.monotonic() + left_ms / 1000)

    def brought_forward(self, until_ms: int) -> "Deadline":
        """Return an earlier end of the same span; a later one stays this one."""
        earlier_ms = max(0, self.wall_ms - until_ms)
        return Deadline(self.wall_ms - earlier_ms, self.steady - earlier_ms / 1000)

    def has_come(self, clock: Clock) -> bool:
        """Say whether the span is over."""
        return clock.now_ms() >= self.wall_ms or clock.monotonic() >= self.steady


class IdSource:
    """Makes identifiers from a clock and a source of randomness; used by one thread, the event loop's."""

    def __init__(self, *, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._drawn = b""

    def new(self, prefix: IdPrefix) -> str:
        """Make a fresh identifier."""
        # Randomness is drawn for many identifiers at once, because each draw is a call of the system.
        if len(self._drawn) < ENTROPY_BYTES:
            self._drawn = self._entropy(_DRAWN_AT_ONCE * ENTROPY_BYTES)
        random, self._drawn = self._drawn[:ENTROPY_BYTES], self._drawn[ENTROPY_BYTES:]
        return make_id(prefix, unix_ms=self._clock.now_ms(), entropy=random)


def rfc3339(unix_ms: int) -> str:
    """Write a time the way every record and answer of ours does: UTC, milliseconds, a Z."""
    seconds, milliseconds = divmod(unix_ms, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)  # most times that are written are of this second, and a date is slow to write
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_rfc3339(text: str) -> int:
    """Read a time with an offset back into milliseconds since the Unix epoch."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it like 2026-11-20T22:00:00Z")
    return round(moment.timestamp() * 1000)


class SystemClock:
    """Reads the time of the machine."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    # The library's own function and no method around it: every step of a call asks for it.
    monotonic = staticmethod(time.monotonic)

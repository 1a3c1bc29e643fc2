"""How much the log may take: so much for each session in an hour, and so much of the disk in all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.base.clock import Clock
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.quantities import readable_size

HOUR_SECONDS = 3600.0
WARNS_AT = 0.8
_MEASURE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the log takes of the disk, and what it may."""

    database: int
    attachments: int
    budget: int

    @property
    def used(self) -> int:
        """Return the bytes in use."""
        return self.database + self.attachments

    @property
    def state(self) -> Literal["ok", "warning", "full"]:
        """Say whether there is room: `warning` from 80 percent on, `full` when nothing new is begun."""
        if self.used >= self.budget:
            return "full"
        return "warning" if self.used >= self.budget * WARNS_AT else "ok"


@dataclass(slots=True)
class _Allowance:
    """What a session has written and not yet had given back; it drains by a whole hour's share in an hour."""

    spent: float
    at: float


class LogBudget:
    """Counts what each session writes, and refuses new work when its share, or the whole, is used up.

    Only the begin of work is refused. What is under way is always written down to its end.
    """

    def __init__(self, *, clock: Clock, database: Path, budget: int, session_hourly: int) -> None:
        self._clock = clock
        self._database = database
        self._budget = budget
        self._hourly = session_hourly
        self._allowances: dict[str, _Allowance] = {}
        self._usage = Usage(0, 0, budget)
        self._measured_at: float | None = None
        self._attached = 0

    def charge(self, session: str | None, size: int) -> None:
        """Count what was written for a session."""
        if session is not None:
            now = self._clock.monotonic()
            allowance = self._allowances.get(session)
            if allowance is None:
                self._forget_drained(now)
                self._allowances[session] = _Allowance(size, now)
            else:
                allowance.spent = self._left_of(allowance, now) + size
                allowance.at = now

    def attached(self, size: int) -> None:
        """Take note of how much the attachments hold now."""
        self._attached = size
        self._measured_at = None

    def admit(self, session: str) -> None:
        """Raise the Failure that keeps new work from beginning, if the log has no room for it."""
        now = self._clock.monotonic()
        allowance = self._allowances.get(session)
        if allowance is not None and (over := self._left_of(allowance, now) - self._hourly) > 0:
            minutes = max(1, round(over / self._hourly * HOUR_SECONDS / 60))
            raise _no_room(
                f"This session has filled its share of the audit log ({readable_size(self._hourly)} an hour). Ask "
                f"again in {minutes} min, with smaller arguments. The person can raise [audit] session_hourly.",
                "audit.session_hourly",
            )
        usage = self.usage()
        if usage.state == "full":
            raise _no_room(
                f"The audit log and its database take {readable_size(usage.used)} of {readable_size(usage.budget)}, so "
                "nothing new is begun. The person can raise [audit] budget in config.toml.",
                "audit.budget",
            )

    def usage(self) -> Usage:
        """Return what is taken of the disk; measured at most once a second."""
        now = self._clock.monotonic()
        if self._measured_at is None or now - self._measured_at >= _MEASURE_SECONDS:
            files = (self._database, Path(f"{self._database}-wal"))
            self._usage = Usage(sum(map(_size, files)), self._attached, self._budget)
            self._measured_at = now
        return self._usage

    def _left_of(self, allowance: _Allowance, now: float) -> float:
        return max(0.0, allowance.spent - (now - allowance.at) * self._hourly / HOUR_SECONDS)

    def _forget_drained(self, now: float) -> None:
        """Drop the sessions that owe nothing any more, so that the table does not grow with every session there was."""
        drained = [name for name, allowance in self._allowances.items() if not self._left_of(allowance, now)]
        for name in drained:
            del self._allowances[name]


def _no_room(message: str, setting: str) -> Failure:
    return Failure(
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
        message,
        boundary=Boundary.RUNTIME,
        retriable=True,
        details={"limit": setting},
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

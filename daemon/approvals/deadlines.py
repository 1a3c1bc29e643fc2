"""When open approvals are over: by the wall clock, and within one life of the daemon by the steady clock, too."""

from daemon.approvals.record import Approval
from daemon.base.clock import Clock, Deadline


class Deadlines:
    """Counts the time of every open approval; nothing of it survives a restart, when counting begins again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_approval: dict[str, Deadline] = {}

    def __len__(self) -> int:
        """Count the approvals that are open, as far as this daemon knows: at least all that are."""
        return len(self._by_approval)

    def begin(self, approval_id: str, *, since_ms: int, until_ms: int) -> None:
        """Begin to count."""
        self._by_approval[approval_id] = Deadline.of(self._clock, since_ms=since_ms, until_ms=until_ms)

    def forget(self, approval_id: str) -> None:
        """Stop counting, because the approval is not open any more."""
        self._by_approval.pop(approval_id, None)

    def have_come(self, *, limit: int) -> list[str]:
        """Return the approvals whose time is over by either clock, as far as they are counted."""
        return [name for name, deadline in self._by_approval.items() if deadline.has_come(self._clock)][:limit]

    def is_over(self, approval: Approval) -> bool:
        """Say whether an approval's time is over by either clock."""
        deadline = self._by_approval.get(approval.id)
        return self._clock.now_ms() >= approval.expires_ms or (deadline is not None and deadline.has_come(self._clock))

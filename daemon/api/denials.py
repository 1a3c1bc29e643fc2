"""Writes down who tried to reach what is not theirs, without letting them fill the log by trying."""

from collections import defaultdict

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.clock import Clock
from daemon.core.failures import Failure, FailureClass

_WINDOW_SECONDS = 60.0
_PER_WINDOW = 30


class Denials:
    """Audits refused requests: each of the first few in a minute, then only their number."""

    def __init__(self, *, audit: AuditLog, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._window_began = clock.monotonic()
        self._seen: defaultdict[str | None, int] = defaultdict(int)

    async def record(self, *, session: str | None, surface: str, method: str, path: str, reason: str) -> str | None:
        """Write down one refused request; return its audit id if it got one."""
        if self._clock.monotonic() - self._window_began >= _WINDOW_SECONDS:
            await self._close_window()
        self._seen[session] += 1
        if self._seen[session] > _PER_WINDOW:
            return None
        return await self._append(
            session,
            {"http.request.method": method[:16], "url.path": path[:500], "aileron.api": surface, "reason": reason},
        )

    async def _close_window(self) -> None:
        overflow = {session: count - _PER_WINDOW for session, count in self._seen.items() if count > _PER_WINDOW}
        self._seen.clear()
        self._window_began = self._clock.monotonic()
        for session, count in overflow.items():
            await self._append(session, {"reason": "further refused requests in the same minute", "count": count})

    async def _append(self, session: str | None, payload: dict[str, object]) -> str | None:
        event = AuditEvent(
            type="session.denied",
            session=session,
            actor="unknown" if session is None else "agent",
            failure_class=FailureClass.CAPABILITY_DENIED.value,
            payload=payload,
        )
        try:
            appended = await self._audit.append(event)
        except Failure:
            # The request is refused in any case; that the log cannot be written is shown by `status`.
            return None
        return appended.records[0].id

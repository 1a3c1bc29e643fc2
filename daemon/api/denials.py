"""Writes down who tried to reach what is not theirs, without letting them fill the log by trying."""

from daemon.audit.events import AuditEvent
from daemon.audit.repeats import Repeats
from daemon.core.failures import Failure, FailureClass
from daemon.core.principal import STRANGER, Principal
from daemon.core.vocabulary import Attr, EventType


class Denials:
    """Audits refused requests."""

    def __init__(self, repeats: Repeats) -> None:
        self._repeats = repeats

    async def record(self, *, session: str | None, surface: str, method: str, path: str, reason: str) -> str | None:
        """Write down or count one refused request; return the id of the event that speaks of it, if it was written."""
        event = AuditEvent(
            type=EventType.SESSION_DENIED,
            session=session,
            actor=STRANGER if session is None else Principal.agent(session),
            failure_class=FailureClass.CAPABILITY_DENIED.value,
            payload={
                Attr.HTTP_REQUEST_METHOD: method[:16],
                Attr.URL_PATH: path[:500],
                "aileron.api": surface,
                "reason": reason,
            },
        )
        try:
            return await self._repeats.record(event)
        except Failure:
            # The request is refused in any case; that the log cannot be written is shown by `status`.
            return None

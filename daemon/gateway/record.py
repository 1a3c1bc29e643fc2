"""What the log says of a model request: where it went, sizes and times, and nothing of its content."""

from dataclasses import dataclass

from daemon.audit.events import AuditEvent
from daemon.core.failures import Failure
from daemon.core.principal import Principal
from daemon.core.visible import visible
from daemon.core.vocabulary import Attr, EventType

_MAX_PATH = 300


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request: whose it is, where it goes, its sizes and its times."""

    session: str
    provider: str
    method: str
    path: str
    started: float
    binding: str | None = None
    status: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    first_byte: float | None = None
    outcome: str = "failed"

    def event(self, now: float) -> AuditEvent:
        """Return the event of a finished request."""
        ttfb = None if self.first_byte is None else round((self.first_byte - self.started) * 1000)
        return AuditEvent(
            type=EventType.GATEWAY_REQUEST,
            session=self.session,
            actor=Principal.agent(self.session),
            payload={
                Attr.GATEWAY_PROVIDER: self.provider,
                Attr.GATEWAY_OUTCOME: self.outcome,
                Attr.BINDING_NAME: self.binding,
                Attr.HTTP_REQUEST_METHOD: self.method,
                Attr.URL_PATH: visible(self.path[:_MAX_PATH]),
                Attr.HTTP_RESPONSE_STATUS_CODE: self.status,
                Attr.HTTP_REQUEST_BODY_SIZE: self.bytes_in,
                Attr.HTTP_RESPONSE_BODY_SIZE: self.bytes_out,
                Attr.MS: round((now - self.started) * 1000),
                Attr.TTFB_MS: ttfb,
            },
        )

    def refusal(self, failure: Failure) -> AuditEvent:
        """Return the event of a request that was refused, or got no answer from the provider."""
        return AuditEvent(
            type=EventType.GATEWAY_FAILED,
            session=self.session,
            actor=Principal.agent(self.session),
            failure_class=failure.failure_class.value,
            payload={
                Attr.GATEWAY_PROVIDER: self.provider,
                Attr.HTTP_REQUEST_METHOD: self.method,
                Attr.URL_PATH: visible(self.path[:_MAX_PATH]),
                Attr.ERROR_MESSAGE: failure.message,
            },
        )

"""What the log says of a model request: where it went, sizes and times, and nothing of its content."""

from dataclasses import dataclass

from daemon.audit.events import AuditEvent
from daemon.core.failures import Failure
from daemon.core.principal import Principal
from daemon.core.visible import visible

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
            type="gateway.request",
            session=self.session,
            actor=Principal.agent(self.session),
            payload={
                "aileron.gateway.provider": self.provider,
                "aileron.gateway.outcome": self.outcome,
                "aileron.binding.name": self.binding,
                "http.request.method": self.method,
                "url.path": visible(self.path[:_MAX_PATH]),
                "http.response.status_code": self.status,
                "http.request.body.size": self.bytes_in,
                "http.response.body.size": self.bytes_out,
                "aileron.ms": round((now - self.started) * 1000),
                "aileron.ttfb_ms": ttfb,
            },
        )

    def refusal(self, failure: Failure) -> AuditEvent:
        """Return the event of a request that was refused, or got no answer from the provider."""
        return AuditEvent(
            type="gateway.failed",
            session=self.session,
            actor=Principal.agent(self.session),
            failure_class=failure.failure_class.value,
            payload={
                "aileron.gateway.provider": self.provider,
                "http.request.method": self.method,
                "url.path": visible(self.path[:_MAX_PATH]),
                "error.message": failure.message,
            },
        )

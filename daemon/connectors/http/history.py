"""What happened to each request of one connector call, and which of it explains how the call ended. Pure."""

from collections.abc import Callable

from daemon.connectors.http.records import Denial, DenialKind, ErrorCode, HttpEvent
from daemon.core.attempts import AttemptRecord
from daemon.core.failures import Boundary, Failure, FailureClass

OnEvent = Callable[[HttpEvent], None]

_CLASSES = {
    ErrorCode.DENIED: (FailureClass.CAPABILITY_DENIED, Boundary.CONNECTOR_MANIFEST),
    ErrorCode.BAD_REQUEST: (FailureClass.CONNECTOR_RUNTIME_ERROR, Boundary.RUNTIME),
    ErrorCode.TOO_LARGE: (FailureClass.RESOURCE_LIMIT_EXCEEDED, Boundary.RUNTIME),
    ErrorCode.TIMEOUT: (FailureClass.NETWORK_ERROR, Boundary.EXTERNAL),
    ErrorCode.NETWORK: (FailureClass.NETWORK_ERROR, Boundary.EXTERNAL),
}


class RequestHistory:
    """The results of one call's requests, in order."""

    def __init__(self, *, idempotent: bool, on_event: OnEvent | None) -> None:
        self._idempotent = idempotent
        self._on_event = on_event
        self._sequence = 0
        self.attempts: list[AttemptRecord] = []
        self.denials: list[Denial] = []
        self.failures: list[tuple[int, Failure]] = []
        self.last: Failure | None = None
        self.unknown: Failure | None = None

    def begin(self) -> None:
        """Note that the connector makes another request; an earlier failure does not explain what follows."""
        self._sequence += 1
        self.last = None

    def attempted(self, attempt: AttemptRecord, *, answered: bool) -> None:
        """Note an attempt. If it may have left and got no answer, the outcome is unknown, unless it may be repeated."""
        self.attempts.append(attempt)
        if attempt.bytes_sent and not answered and not self._idempotent and self.unknown is None:
            self.unknown = Failure(
                FailureClass.OUTCOME_UNKNOWN,
                f"No complete answer to {attempt.method} {attempt.host} ({attempt.error}): it may have taken effect.",
                boundary=Boundary.EXTERNAL,
                details={"method": attempt.method, "host": attempt.host, "status": attempt.status},
            )
        self._tell(HttpEvent(kind="attempt", attempt=attempt))

    def denied(self, kind: DenialKind, host: str, message: str, *, sent: AttemptRecord | None = None) -> None:
        """Note a refusal by a rule of the manifest or the network policy."""
        denial = Denial(self._sequence, kind, host, message)
        self.denials.append(denial)
        details: dict[str, object] = {"rule": kind.value, "host": host}
        if sent is not None:
            # The refusal concerns the answer: the request itself was made.
            details |= {"request_was_sent": True, "status": sent.status}
        self._fail(ErrorCode.DENIED, message, details=details)
        self._tell(HttpEvent(kind="denial", denial=denial))

    def failed(self, code: ErrorCode, message: str, *, bytes_sent: bool, details: dict[str, object]) -> None:
        """Note a request that ended without an answer for the connector."""
        repeatable = code in {ErrorCode.TIMEOUT, ErrorCode.NETWORK} and (self._idempotent or not bytes_sent)
        self._fail(code, message, details=details, retriable=repeatable)

    def explain(self) -> Failure | None:
        """Return the failure behind an error of the connector; an unknown outcome counts, whatever came after it."""
        return self.unknown or self.last

    def _fail(self, code: ErrorCode, message: str, *, details: dict[str, object], retriable: bool = False) -> None:
        failure_class, boundary = _CLASSES[code]
        self.last = Failure(failure_class, message, boundary=boundary, retriable=retriable, details=details)
        self.failures.append((self._sequence, self.last))

    def _tell(self, event: HttpEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

"""One call of one operation: what goes in, what comes out, and the run in between with its limits and its verdict."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from daemon.base.clock import Clock
from daemon.connectors.answers import AnswerError, ReportedError, read_error, read_result
from daemon.connectors.http.client import OutboundHttp
from daemon.connectors.http.mediator import CallContext
from daemon.connectors.http.records import InjectedHeader
from daemon.connectors.sealing import Redact, Resolved, Scrubbers, Seal
from daemon.connectors.wasm.call_time import CallTime
from daemon.connectors.wasm.errors import (
    ConnectorBusy,
    ConnectorCancelled,
    ConnectorCrash,
    ConnectorError,
    ConnectorFault,
    ResourceExceeded,
)
from daemon.connectors.wasm.limits import CallLimits
from daemon.connectors.wasm.runtime import LoadedConnector, WasmRuntime
from daemon.core.account import Account
from daemon.core.action import ConnectorRequirement
from daemon.core.attempts import AttemptRecord
from daemon.core.authority import HostPort
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.fqn import Fqn
from daemon.core.manifest import Credential, Manifest, Op
from daemon.core.principal import Principal
from daemon.core.scrubbing.scrub import Scrubber
from daemon.core.turn import NO_SESSION, Turn

_LOG_LEVELS = (10, 10, 20, 30, 40)  # trace and debug, info, warning, error, as the standard library numbers them


class CredentialSource(Protocol):
    """The one narrow way from this room to the vault."""

    def resolve(self, connector: Fqn, credential: Credential) -> Resolved:
        """Return the credential bound to exactly this connector, or raise the Failure that says what is missing."""
        ...

    def account(self, connector: Fqn, credential: Credential) -> Account | None:
        """Return the account that is bound to this connector now, also while the vault is locked."""
        ...


class GuestLog(Protocol):
    """A structured logger that takes what connectors log."""

    def log(self, level: int, event: str, /, **fields: Any) -> Any:
        """Write one line."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorCall:
    """A request to run one operation of one pinned connector."""

    requirement: ConnectorRequirement
    op: str
    arguments: Mapping[str, Any]
    seconds: float
    execution: str
    session: str | None
    actor: Principal
    action: str | None
    account: Account | None
    """The account that was checked, shown and written down for this call; it runs as no other."""
    before_send: Callable[[], Awaitable[None]]
    turn: Turn = NO_SESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorResult:
    """What an operation returned, and how often and where it asked."""

    value: Any
    attempts: tuple[AttemptRecord, ...]
    binding: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCall:
    """A call whose connector, operation, arguments and credential have all been checked."""

    call: ConnectorCall
    manifest: Manifest
    manifest_json: str
    op: Op
    arguments_json: str
    credential: Resolved | None
    loaded: LoadedConnector


class CallRunner:
    """Runs checked calls in the sandbox and says what became of them."""

    def __init__(
        self,
        *,
        runtime: WasmRuntime,
        http: OutboundHttp,
        clock: Clock,
        log: GuestLog,
        redact: Redact,
        note_denials: Callable[[ConnectorCall, Sequence[Mapping[str, str]], int], Awaitable[None]],
    ) -> None:
        self._runtime = runtime
        self._http = http
        self._clock = clock
        self._log = log
        self._redact = redact
        self._note_denials = note_denials
        self._scrubbers = Scrubbers()

    async def run(self, ready: ReadyCall) -> ConnectorResult:
        """Run the operation once; it is single requests, in the HTTP layer, that may be sent again."""
        time = CallTime(self._clock, min(ready.call.seconds, ready.manifest.limits.time_seconds))
        scrubber = None if ready.credential is None else self._scrubbers.of(ready.credential)
        seal = Seal(scrubber, redact=self._redact)
        context = self._context(ready, scrubber, time.deadline)
        try:
            value = await self._run_once(ready, context, seal, time)
            if context.unknown is not None:
                # The connector says that it went well, and cannot know: no complete answer came.
                raise context.unknown
        except Failure as failure:
            clean = seal.failure(failure)
            raise _completed(
                clean, ready, seal.attempts(context.attempts), seal.denials(context.denials)
            ) from failure.__cause__
        finally:
            context.close()
            if context.denials:
                await self._note_denials(ready.call, seal.denials(context.denials), len(context.denials))
        binding = None if ready.credential is None else ready.credential.binding
        return ConnectorResult(value=value, attempts=tuple(seal.attempts(context.attempts)), binding=binding)

    def _context(self, ready: ReadyCall, scrubber: Scrubber | None, deadline: float) -> CallContext:
        return self._http.call_context(
            manifest=ready.manifest,
            credential=_injector(ready.manifest.credential, ready.credential, scrubber),
            deadline=deadline,
            op_idempotent=ready.op.idempotent,
            before_send=ready.call.before_send,
            owner=ready.call.session or "",
        )

    async def _run_once(self, ready: ReadyCall, context: CallContext, seal: Seal, time: CallTime) -> Any:
        name = f"{ready.manifest.name} {ready.manifest.version}"

        def note(level: int, message: str) -> None:
            self._log.log(
                _LOG_LEVELS[min(max(level, 0), 4)],
                "connector.log",
                said=seal.message(message),
                connector=str(ready.manifest.name),
                op=ready.op.name,
                execution=ready.call.execution,
                session=ready.call.session,
            )

        async def http(request: str) -> tuple[bool, str]:
            context.end_by(time.deadline)
            return await context(request)

        try:
            answer = await self._runtime.execute(
                ready.loaded,
                ready.op.name,
                ready.arguments_json,
                http=http,
                log=note,
                manifest_json=ready.manifest_json,
                limits=CallLimits(seconds=time.seconds, memory_bytes=ready.manifest.limits.memory_bytes),
                turn=ready.call.turn,
                time=time,
            )
            read = partial(read_result, answer, scrub=seal.scrub)
            return await self._http.beside_the_loop(read, size=len(answer))
        except ConnectorError as error:
            raise _from_report(error.payload, context, op=ready.op, name=name, seal=seal) from error
        except ConnectorCrash as crash:
            message = seal.message(f"{name}, {ready.op.name}: {crash}")
            cause = context.explain(message) or _runtime_error(message)
            raise _broken_off(cause, context, ready.op) from crash
        except AnswerError as odd:
            message = seal.message(f"{name} answered {ready.op.name} in a form that is not allowed: {odd}.")
            raise _broken_off(_runtime_error(message), context, ready.op) from odd
        except ResourceExceeded as spent:
            message = seal.message(f"{name}, {ready.op.name}: {spent}")
            raise _broken_off(_limit(message, limit=spent.limit), context, ready.op) from spent
        except ConnectorBusy as busy:
            raise _busy(f"{name} could not begin {ready.op.name}. {busy}.") from busy
        except ConnectorCancelled as stopped:
            message = f"{name} was stopped in {ready.op.name}, because its caller went away or the daemon is stopping."
            raise _broken_off(_runtime_error(message), context, ready.op) from stopped
        except ConnectorFault as fault:
            message = seal.message(f"{name}, {ready.op.name}: {fault}")
            raise _broken_off(_runtime_error(message), context, ready.op) from fault


def _completed(
    failure: Failure, ready: ReadyCall, attempts: Sequence[AttemptRecord], denials: list[dict[str, str]]
) -> Failure:
    """Return a failure with what the audit log and the person need to see what was tried."""
    failure = failure.with_attempts(attempts)
    details = {"connector": str(ready.manifest.name), "op": ready.op.name, **failure.details}
    if denials:
        details["denials"] = denials
    if not ready.op.idempotent and any(attempt.bytes_sent for attempt in attempts):
        details["may_have_taken_effect"] = True
        failure = failure.never_retriable()
    return failure.with_details(details)


def _injector(
    credential: Credential | None, resolved: Resolved | None, scrubber: Scrubber | None
) -> Callable[[HostPort], InjectedHeader | None]:
    if credential is None or resolved is None:
        return lambda _: None
    header = InjectedHeader(resolved.header, resolved.value, resolved.secrets, scrubber)
    hosts = frozenset(credential.hosts)
    return lambda host: header if host in hosts else None


def _from_report(payload: str, context: CallContext, *, op: Op, name: str, seal: Seal) -> Failure:
    """Turn the error arm into a failure; a request that was refused or failed right before is the cause of it."""
    try:
        report = read_error(payload)
    except AnswerError as odd:
        blamed = context.explain(seal.message(payload))
        if blamed is not None:
            return blamed
        message = seal.message(f"{name} reported an error in a form that is not allowed: {odd}. It said: {payload}")
        return _broken_off(_runtime_error(message), context, op)
    blamed = context.explain(seal.message(report.message))
    if blamed is not None:
        return blamed
    return _reported(report, op=op, message=seal.message(report.message))


def _reported(report: ReportedError, *, op: Op, message: str) -> Failure:
    details: dict[str, Any] = {}
    if report.status is not None:
        details["status"] = report.status
    if report.retry_after_ms is not None:
        details["retry_after_ms"] = report.retry_after_ms
    return Failure(
        report.failure_class,
        message,
        boundary=_BOUNDARIES[report.failure_class],
        retriable=report.retriable and op.idempotent,
        details=details,
    )


_BOUNDARIES = {
    FailureClass.EXTERNAL_API_ERROR: Boundary.EXTERNAL,
    FailureClass.INVALID_ARGUMENTS: Boundary.ACTION,
    FailureClass.CONNECTOR_RUNTIME_ERROR: Boundary.RUNTIME,
}


def _broken_off(cause: Failure, context: CallContext, op: Op) -> Failure:
    """Tell a call that ended without the connector's own word: if anything left, it may have taken effect."""
    if op.idempotent or not context.sent_any or cause.failure_class is FailureClass.OUTCOME_UNKNOWN:
        return cause
    return Failure(
        FailureClass.OUTCOME_UNKNOWN,
        f"{cause.message} It had sent a request before, which may have taken effect: look at the service before you"
        " try again.",
        boundary=Boundary.EXTERNAL,
        details={**cause.details, "cause": cause.failure_class.value},
    )


def _runtime_error(message: str) -> Failure:
    return Failure(FailureClass.CONNECTOR_RUNTIME_ERROR, message, boundary=Boundary.RUNTIME)


def _busy(message: str) -> Failure:
    return Failure(
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
        f"{message} Nothing was run. Try again when other calls of this session have ended.",
        boundary=Boundary.RUNTIME,
        retriable=True,
        details={"limit": "waiting"},
    )


def _limit(message: str, *, limit: str) -> Failure:
    return Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.RUNTIME, details={"limit": limit})

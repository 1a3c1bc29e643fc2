"""The http function that one connector call gets: it checks, sends, retries and scrubs, and records what happened."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from daemon.base.clock import Clock, Entropy
from daemon.connectors.http.answer_memory import HeldMemory
from daemon.connectors.http.codings import ExchangeFailed
from daemon.connectors.http.departure import Departure
from daemon.connectors.http.exchange import Exchanger, ServiceAnswer
from daemon.connectors.http.history import OnEvent, RequestHistory
from daemon.connectors.http.records import (
    Denial,
    DenialKind,
    ErrorCode,
    InjectedHeader,
    NetworkPolicy,
)
from daemon.connectors.http.request import (
    Denied,
    OutboundRequest,
    RequestRules,
    names_same_header,
    parse_request,
    redirect_target,
)
from daemon.connectors.http.retry import MAX_RETRIES, backoff_seconds, may_retry_status, retry_after_seconds
from daemon.connectors.http.workers import BodyWorkers
from daemon.core.attempts import AttemptRecord
from daemon.core.authority import HostPort
from daemon.core.failures import Failure
from daemon.core.manifest import Manifest
from daemon.core.scrubbing.scrub import Scrubber, secrets_of_header
from daemon.net.dialling import AddressRefused

MAX_REDIRECTS = 5

CredentialFor = Callable[[HostPort], InjectedHeader | None]
BeforeSend = Callable[[], Awaitable[None]]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_RECORDED_PATH = 512
_NOTHING_TO_SCRUB = Scrubber(())
_to_json = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Outlet:
    """What the calls of one daemon share."""

    exchanger: Exchanger
    policy: NetworkPolicy
    workers: BodyWorkers
    clock: Clock
    entropy: Entropy


class _Refused(Exception):
    def __init__(self, denied: Denied) -> None:
        super().__init__(denied.message)
        self.denied = denied


class CallContext:
    """Carries out the requests of one connector call, and says afterwards what happened to each of them.

    As far as effects go, a call is in one of four states:

        nothing done --before_send()--> marked --a byte may have left--> sent --no whole answer--> outcome unknown

    `before_send` puts the start of the call on the disk; it runs once, before the first attempt of the first request. A
    request that is refused or fails leaves the state as it is, and the connector may make another one. The last state
    is reached only by a request that must not be repeated, and it is final: no later answer makes the outcome known.
    """

    def __init__(
        self,
        *,
        outlet: Outlet,
        manifest: Manifest,
        credential: CredentialFor,
        deadline: float,
        op_idempotent: bool,
        before_send: BeforeSend,
        on_event: OnEvent | None = None,
        memory: HeldMemory,
    ) -> None:
        policy = outlet.policy
        self._outlet = outlet
        self._rules = RequestRules.of(
            manifest, allow_private=policy.allow_private, max_body_bytes=policy.max_request_bytes
        )
        self._credential_hosts = manifest.credential.hosts if manifest.credential is not None else ()
        self._credential = credential
        self._deadline = deadline
        self._idempotent = op_idempotent
        self._before_send = before_send
        self._marked = False
        self._injected: dict[HostPort, InjectedHeader | None] = {}
        self._secrets: set[str] = set()
        self._scrubber = _NOTHING_TO_SCRUB
        self._memory = memory
        self._history = RequestHistory(idempotent=op_idempotent, on_event=on_event)

    @property
    def attempts(self) -> list[AttemptRecord]:
        """Every try at every request, in order."""
        return self._history.attempts

    @property
    def denials(self) -> list[Denial]:
        """Every refusal, in order, whatever came after it."""
        return self._history.denials

    @property
    def failures(self) -> list[tuple[int, Failure]]:
        """Every failed request with its place in the order of requests."""
        return self._history.failures

    @property
    def failure(self) -> Failure | None:
        """The failure of the last request; None when that one got its answer, whatever failed before it."""
        return self._history.last

    @property
    def sent_any(self) -> bool:
        """Whether any byte of any request may have left."""
        return any(attempt.bytes_sent for attempt in self._history.attempts)

    @property
    def unknown(self) -> Failure | None:
        """The failure of a request that must not happen twice, and that left and got no complete answer."""
        return self._history.unknown

    @property
    def outcome_unknown(self) -> bool:
        """Whether there is such a request. Then the call is no success, whatever the connector says."""
        return self._history.unknown is not None

    @property
    def outcome_unknown_reason(self) -> str | None:
        """What happened to that request; None when the outcome is known."""
        return self._history.unknown.message if self._history.unknown is not None else None

    def end_by(self, deadline: float) -> None:
        """Set another end of the call's time; time that the connector spends in a queue does not count."""
        self._deadline = deadline

    def close(self) -> None:
        """Give back the memory that the last answer holds."""
        self._memory.release()

    def scrub(self, text: str) -> str:
        """Remove every secret that this call has used from a text."""
        return self._scrubber.scrub(text)

    def explain(self, connector_error: str | None = None) -> Failure | None:
        """Return the failure behind an error or a crash of the connector; None if no request explains it.

        A refused or failed request explains the error only if it was the last one: after a later answer, the connector
        reports something else. An unknown outcome explains it in any case.
        """
        failure = self._history.explain()
        if failure is not None and connector_error:
            return failure.with_details({"connector_error": self.scrub(connector_error)[:2000]})
        return failure

    async def __call__(self, request_json: str) -> tuple[bool, str]:
        """Carry one request of the guest; return (True, response) or (False, error), both as JSON.

        An exception of `credential` or of `before_send` is passed on unchanged; nothing was sent then.
        """
        self._history.begin()
        self._memory.release()  # a connector that makes another request has read the last answer
        workers = self._outlet.workers
        request = await workers.run(lambda: parse_request(request_json, self._rules), size=len(request_json))
        if isinstance(request, Denied):
            return self._deny(request)
        sent_before = len(self.attempts)
        try:
            answer = await self._follow(request)
        except _Refused as refused:
            return self._deny(refused.denied, sent=self.attempts[-1] if len(self.attempts) > sent_before else None)
        except ExchangeFailed as failed:
            return self._fail(request, failed, bytes_sent=any(a.bytes_sent for a in self.attempts[sent_before:]))
        scrubber = self._scrubber
        return True, await workers.run(lambda: _response_json(answer, scrubber), size=len(answer.body))

    def _deny(self, denied: Denied, *, sent: AttemptRecord | None = None) -> tuple[bool, str]:
        message = self.scrub(denied.message)
        if denied.kind is None:
            self._history.failed(denied.code, message, bytes_sent=False, details={})
        else:
            went_out = sent if sent is not None and sent.bytes_sent else None
            self._history.denied(denied.kind, self.scrub(denied.host), message, sent=went_out)
        return False, _error_json(denied.code, message)

    def _fail(self, request: OutboundRequest, failed: ExchangeFailed, *, bytes_sent: bool) -> tuple[bool, str]:
        host = str(request.target.host_port)
        message = self.scrub(f"{request.method} {host}: {failed}.")
        details: dict[str, object] = {"host": host, "bytes_sent": bytes_sent}
        if failed.status is not None:
            details["status"] = failed.status
        self._history.failed(failed.code, message, bytes_sent=bytes_sent, details=details)
        return False, _error_json(failed.code, message)

    async def _follow(self, request: OutboundRequest) -> ServiceAnswer:
        """Send a request, and follow redirects within the same service."""
        end = self._deadline
        if request.timeout_seconds is not None:
            end = min(end, self._outlet.clock.monotonic() + request.timeout_seconds)
        if self._outlet.clock.monotonic() >= end:
            raise ExchangeFailed(ErrorCode.TIMEOUT, "the call's time is used up, so it was not sent")
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._try(request, end)
            onward = self._onward(request, answer) if answer.status in _REDIRECTS else None
            if onward is None:
                return answer
            request = onward
        host = str(request.target.host_port)
        raise _Refused(
            Denied(ErrorCode.DENIED, f"{host} redirects more than {MAX_REDIRECTS} times.", DenialKind.REDIRECT, host)
        )

    def _onward(self, request: OutboundRequest, answer: ServiceAnswer) -> OutboundRequest | None:
        """Return the request that a redirect asks for; None when the connector gets the redirect itself."""
        location = next((value for name, value in answer.headers if name.lower() == "location"), None)
        if location is None:
            return None
        target = redirect_target(request.target, location, self._rules)
        if isinstance(target, Denied):
            raise _Refused(target)
        to_get = answer.status == 303 or (answer.status in {301, 302} and request.method == "POST")
        if to_get and request.method != "HEAD":
            headers = tuple(pair for pair in request.headers if not pair[0].lower().startswith("content-"))
            return replace(request, target=target, method="GET", headers=headers, body=None)
        if request.method not in _SAFE_METHODS and not self._idempotent:
            # 307 and 308 ask for the same body again, and the first request may have had an effect. So the connector
            # gets the redirect and decides.
            return None
        return replace(request, target=target)

    async def _try(self, request: OutboundRequest, end: float) -> ServiceAnswer:
        """Send one request, and repeat it where that cannot have a second effect, within the time that is left."""
        retry = 0
        while True:
            failed: ExchangeFailed | None = None
            answer: ServiceAnswer | None = None
            wait = 0.0
            try:
                answer = await self._attempt(request, end)
            except ExchangeFailed as error:
                if self.attempts[-1].bytes_sent or error.code is not ErrorCode.NETWORK or not error.temporary:
                    raise
                failed = error
            else:
                if not may_retry_status(answer.status, idempotent=self._idempotent):
                    return answer
                wait = retry_after_seconds(answer.headers, now_ms=self._outlet.clock.now_ms())
            retry += 1
            wait = max(wait, backoff_seconds(retry, self._outlet.entropy))
            if retry > MAX_RETRIES or self._outlet.clock.monotonic() + wait >= end:
                if answer is not None:
                    return answer
                assert failed is not None  # noqa: S101 -- one of the two was set above
                raise failed
            await asyncio.sleep(wait)

    async def _attempt(self, request: OutboundRequest, end: float) -> ServiceAnswer:
        """Make one attempt and put it on record, however it ends."""
        injected = self._credential_for(request)
        if not self._marked:
            await self._before_send()
            self._marked = True
        clock, target = self._outlet.clock, request.target
        departure = Departure(target, request.method, request.headers, request.body, injected)
        started = clock.monotonic()
        self._memory.release()
        status: int | None = None
        error: str | None = "the call was cancelled"
        answered = False
        try:
            answer = await self._outlet.exchanger.send(departure, seconds=max(0.0, end - started), memory=self._memory)
            status, error, answered = answer.status, None, True
            return answer
        except AddressRefused as refused:
            error = str(refused)
            denied = Denied(ErrorCode.DENIED, error, DenialKind.ADDRESS, str(target.host_port))
            raise _Refused(denied) from refused
        except ExchangeFailed as failed:
            status, error = failed.status, str(failed)
            raise
        finally:
            attempt = AttemptRecord(
                number=len(self.attempts) + 1,
                method=request.method,
                host=str(target.host_port),
                path=self.scrub(target.path)[:_MAX_RECORDED_PATH],
                status=status,
                error=self.scrub(error) if error is not None else None,
                bytes_sent=departure.may_have_left,
                ms=round((clock.monotonic() - started) * 1000),
            )
            self._history.attempted(attempt, answered=answered)

    def _credential_for(self, request: OutboundRequest) -> InjectedHeader | None:
        host_port = request.target.host_port
        if host_port not in self._credential_hosts:
            return None
        if host_port not in self._injected:
            injected = self._credential(host_port)
            self._injected[host_port] = injected
            if injected is not None:
                alone = not self._secrets
                self._secrets.update(injected.secrets, secrets_of_header(injected.value))
                ready = injected.scrubber if alone else None
                self._scrubber = Scrubber(self._secrets) if ready is None else ready
        injected = self._injected[host_port]
        if injected is None or injected.name == self._rules.credential_header:  # that one was checked at reading
            return injected
        if any(names_same_header(name, injected.name) for name, _ in request.headers):
            message = f"The request sets {injected.name}, the header into which the host puts the credential."
            raise _Refused(Denied(ErrorCode.DENIED, message, DenialKind.CREDENTIAL_HEADER, str(host_port)))
        return injected


def _response_json(answer: ServiceAnswer, scrubber: Scrubber) -> str:
    body = scrubber.scrub_bytes(answer.body)
    response: dict[str, Any] = {"status": answer.status, "headers": scrubber.scrub_headers(answer.headers)}
    try:
        response["body"] = body.decode()
    except UnicodeDecodeError:
        response["body_base64"] = base64.b64encode(body).decode()
    return _to_json(response)


def _error_json(code: ErrorCode, message: str) -> str:
    return _to_json({"code": code.value, "message": message})

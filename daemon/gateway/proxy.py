"""The gateway as an ASGI app: finds the session, the provider and the key of a request, and forwards it."""

import asyncio
from typing import Protocol

from starlette.types import Receive, Scope, Send

from daemon.audit.budget import LogBudget
from daemon.audit.log import AuditLog
from daemon.audit.repeats import Repeats
from daemon.base.clock import Clock
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Credential
from daemon.core.providers import Provider, Providers, Style
from daemon.gateway.admission import Refused, refusal
from daemon.gateway.batched_events import BatchedEvents
from daemon.gateway.errors import error_body, is_final, status_of
from daemon.gateway.forwarding import Headers, Presented, onward, presented
from daemon.gateway.own_tokens import shown, without_tokens
from daemon.gateway.record import Exchange
from daemon.gateway.relay import Relay
from daemon.net.http1.errors import TooSlow, Unreachable, UpstreamError
from daemon.net.http1.head import HeadError, framing, request_head
from daemon.net.http1.pool import Pool
from daemon.sessions.service import Sessions
from daemon.sessions.tokens import Capability, TokenClaims, TokenError

PREFIX = "/llm/"


class Resolved(Protocol):
    """A key that is ready to be attached."""

    @property
    def binding(self) -> str: ...
    @property
    def header(self) -> str: ...
    @property
    def value(self) -> str: ...


class KeySource(Protocol):
    """What the gateway needs of the vault."""

    def resolve(self, connector: Provider, credential: Credential) -> Resolved:
        """Return the key bound to a provider, or raise the Failure that says what a person must do."""
        ...

    def is_granted(self, connector: Provider) -> bool:
        """Say whether any key was granted to a provider; also while the vault is locked."""
        ...


class DenialLog(Protocol):
    """Writes a refused access into the audit log, and returns the id of the event."""

    async def __call__(
        self, *, session: str | None, surface: str, method: str, path: str, reason: str
    ) -> str | None: ...


class Gateway:
    """Forwards model requests of sessions."""

    def __init__(
        self,
        *,
        providers: Providers,
        keys: KeySource,
        sessions: Sessions,
        audit: AuditLog,
        repeats: Repeats,
        budget: LogBudget,
        pool: Pool,
        denied: DenialLog,
        clock: Clock,
        header_seconds: float,
    ) -> None:
        self.providers = providers
        self._keys = keys
        self._sessions = sessions
        self._audit = audit
        self._repeats = repeats
        self._budget = budget
        self._events = BatchedEvents(audit)
        self._pool = pool
        self._denied = denied
        self._under_way: dict[str, set[Relay]] = {}
        self._clock = clock
        self._header_seconds = header_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request below /llm/."""
        headers: Headers = scope["headers"]
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        place, _, rest = raw.removeprefix(PREFIX).partition("/")
        names_anthropic = any(name == b"anthropic-version" for name, _ in headers)
        meant = self.providers.meant_by(rest, anthropic_version=names_anthropic)
        style = Style.OPENAI if meant is None else meant[0].style
        try:
            found = presented(headers)
            claims = self._authorise(place, found, only=scope.get("aileron.only_session"))
        except Failure as failure:
            # The token is in the path, so the path goes into no record as it is.
            path = f"{PREFIX}<token>/{shown(rest)}"
            audit_id = await self._denied(
                session=None, surface="agent", method=scope["method"], path=path, reason=failure.message
            )
            failure = failure if audit_id is None else failure.with_audit_id(audit_id)
            await _fail(send, failure, style, status_of(failure, headers))
            return
        path = rest if meant is None else meant[1]
        exchange = Exchange(
            session=claims.session,
            provider="-" if meant is None else meant[0].name,
            method=scope["method"],
            path=f"/{shown(path)}",
            started=self._clock.monotonic(),
        )
        refused = refusal(exchange.method, headers, path, style)
        try:
            if refused is not None:
                await self._refuse(exchange, _not_admitted(refused))
            if meant is None:
                await self._refuse(exchange, _nobody_meant(self.providers))
            await self._forward(scope, receive, send, meant, found, exchange)  # type: ignore[arg-type]
        except Failure as failure:
            status = status_of(failure, headers) if refused is None else refused.status
            await _fail(send, failure, style, status, allow="" if refused is None else refused.allow)

    def _authorise(self, place: str, found: Presented, *, only: str | None) -> TokenClaims:
        """Return who asks: the path holds the token itself, or the session's id, and then the API key is the token."""
        try:
            if place.startswith("ses_"):
                if not found.tokens:
                    raise TokenError("the key is not this session's token")
                claims = self._sessions.check_token_at(found.tokens[0], only=only)
                if claims.session != place:
                    raise TokenError("the token belongs to another session")
            else:
                claims = self._sessions.check_token_at(place, only=only)
            for token in found.tokens:
                if self._sessions.check_token(token).session != claims.session:
                    raise TokenError("the key is the token of another session")
            if Capability.PROXY_MODELS not in claims.capabilities:
                raise TokenError("it does not carry llm:proxy")
        except TokenError as problem:
            message = f"The session token does not open the model gateway: {problem}. Start anew with `aileron launch`."
            raise Failure(FailureClass.CAPABILITY_DENIED, message, boundary=Boundary.USER) from None
        return claims

    async def _refuse(self, exchange: Exchange, failure: Failure) -> None:
        """Write a failure down and raise it with its audit id."""
        raise failure.with_audit_id(await self._repeats.record(exchange.refusal(failure)))

    async def _forward(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        meant: tuple[Provider, str],
        found: Presented,
        exchange: Exchange,
    ) -> None:
        provider, path = meant
        state = self._audit.status()
        if not state.available:
            raise Failure(
                FailureClass.AUDIT_UNAVAILABLE,
                f"The audit log cannot be written ({state.reason}), so nothing is sent.",
                boundary=Boundary.RUNTIME,
            )
        try:
            self._budget.admit(exchange.session)
            key = self._key(provider, found)
        except Failure as failure:
            await self._refuse(exchange, failure)
            raise
        headers = onward(scope["headers"], keep_own=found.own)
        added = list(provider.header_bytes)
        if key is not None:
            exchange.binding = key.binding
            added.append((key.header.lower().encode("latin-1"), key.value.encode("latin-1")))
        if added:
            replaced = {name for name, _ in added}
            headers = [pair for pair in headers if pair[0] not in replaced] + added
        query = without_tokens(scope["query_string"])
        target = b"%b/%b" % (provider.prefix.encode("latin-1"), path.encode("latin-1")) + (query and b"?" + query)
        relay = Relay(receive, send, exchange, self._clock)
        under_way = self._under_way.setdefault(exchange.session, set())
        under_way.add(relay)
        try:
            await self._carry(relay, provider, exchange.method, target, headers)
        except UpstreamError as problem:
            await self._refuse(exchange, _failure(problem))
        except asyncio.CancelledError:
            if relay.left is None:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
            exchange.outcome = relay.left
        finally:
            relay.end()
            under_way.discard(relay)
            if not under_way:
                self._under_way.pop(exchange.session, None)
        self._events.note(exchange.event(self._clock.monotonic()))

    async def _carry(self, relay: Relay, provider: Provider, method: str, target: bytes, headers: Headers) -> None:
        first, more = await relay.first()
        frame = framing(method, headers, None if more else first)
        try:
            head = request_head(method, target, provider.host_bytes, headers, frame)
        except HeadError as problem:
            raise Unreachable(f"The request to {provider.host_port} was not sent: {problem}.") from problem
        if more and frame:
            first = b"%x\r\n%b\r\n" % (len(first), first) if first else b""
        connection = await self._pool.take(provider.origin)
        await relay.carry(
            connection, method, head + first, chunked=bool(frame) if more else None, seconds=self._header_seconds
        )

    def cut(self, session: str) -> None:
        """End the requests that are under way for a session that has ended."""
        for relay in list(self._under_way.get(session, ())):
            relay.leave("session_ended")

    async def close(self) -> None:
        """Close the connections, and write down what is not yet written."""
        await self._pool.close()
        await self._events.close()

    def _key(self, provider: Provider, found: Presented) -> Resolved | None:
        if found.own:
            return None
        if not found.tokens and not self._keys.is_granted(provider):
            return None  # a provider that wants no key, or will say itself that it does
        return self._keys.resolve(provider, provider.credential)


async def _fail(send: Send, failure: Failure, style: Style, status: int, *, allow: str = "") -> None:
    body = error_body(failure, style, status)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if is_final(status):
        headers.append((b"x-should-retry", b"false"))  # the clients of both vendors obey it
    if allow:
        headers.append((b"allow", allow.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _failure(problem: UpstreamError) -> Failure:
    if isinstance(problem, TooSlow):
        return Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, str(problem), boundary=Boundary.EXTERNAL)
    return Failure(FailureClass.NETWORK_ERROR, str(problem), boundary=Boundary.EXTERNAL, retriable=True)


def _not_admitted(refused: Refused) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, refused.message, boundary=Boundary.USER)


def _nobody_meant(providers: Providers) -> Failure:
    names = ", ".join(providers.by_name)
    message = f"This path means no provider. Paths begin with v1/, or with the name of one: {names}."
    return Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.USER)

"""The gateway as an ASGI app: who asks, whom they mean, whose key it is, and then bytes both ways."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import aiohttp
from multidict import CIMultiDict
from starlette.types import Message, Receive, Scope, Send
from yarl import URL

from daemon.audit.log import AuditLog
from daemon.connectors.http.dialling import DEPARTURE, AddressRefused, Departure
from daemon.connectors.http.exchange import Interrupted
from daemon.connectors.http.urls import Target
from daemon.core.authority import HostPort
from daemon.core.clock import Clock
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Credential
from daemon.core.providers import Provider, Providers, Style
from daemon.gateway.errors import STATUS, error_body
from daemon.gateway.forwarding import Headers, Presented, back, onward, presented
from daemon.gateway.outbound import Outbound
from daemon.gateway.record import Exchange
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
    """The one narrow way from this room to the vault."""

    def resolve(self, connector: Provider, credential: Credential) -> Resolved:
        """Return the key bound to a provider, or raise the Failure that says what a person must do."""
        ...

    def is_granted(self, connector: Provider) -> bool:
        """Say whether any key was granted to a provider; also while the vault is locked."""
        ...


class Gateway:
    """Forwards model requests of sessions."""

    def __init__(
        self,
        *,
        providers: Providers,
        keys: KeySource,
        sessions: Sessions,
        audit: AuditLog,
        outbound: Outbound,
        allow_private: frozenset[HostPort],
        clock: Clock,
        header_seconds: float,
    ) -> None:
        self.providers = providers
        self._keys = keys
        self._sessions = sessions
        self._audit = audit
        self._outbound = outbound
        self._allow_private = allow_private
        self._clock = clock
        self._header_seconds = header_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request below /llm/."""
        headers: Headers = scope["headers"]
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        place, _, rest = raw.removeprefix(PREFIX).partition("/")
        names = {name for name, _ in headers}
        meant = self.providers.meant_by(rest, anthropic_version=b"anthropic-version" in names)
        style = Style.OPENAI if meant is None else meant[0].style
        try:
            found = presented(headers)
            claims = self._authorise(place, found)
        except Failure as failure:
            await _fail(send, failure, style)
            return
        exchange = Exchange(
            session=claims.session,
            provider="-" if meant is None else meant[0].name,
            method=scope["method"],
            path=f"/{rest}" if meant is None else f"/{meant[1]}",
            started=self._clock.monotonic(),
        )
        try:
            if b"upgrade" in names:
                await self._refuse(exchange, _no_websockets())
            if meant is None:
                await self._refuse(exchange, _nobody_meant(self.providers))
            await self._forward(scope, receive, send, meant, found, exchange)  # type: ignore[arg-type]
        except Failure as failure:
            status = 426 if b"upgrade" in names else None
            await _fail(send, failure, style, status=status)

    def _authorise(self, place: str, found: Presented) -> TokenClaims:
        """Return who asks: by the token in the path, or by the session's name there and the token as its key."""
        try:
            if place.startswith("ses_"):
                if not found.tokens:
                    raise TokenError("the key is not this session's token")
                claims = self._sessions.check_token(found.tokens[0])
                if claims.session != place:
                    raise TokenError("the token belongs to another session")
            else:
                claims = self._sessions.check_token(place)
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
        appended = await self._audit.append(exchange.refusal(failure))
        failure.audit_id = appended.records[0].id
        raise failure

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
            key = self._key(provider, found)
        except Failure as failure:
            await self._refuse(exchange, failure)
            raise
        sent: CIMultiDict[str] = CIMultiDict()
        for name, value in onward(scope["headers"], keep_own=found.own):
            sent.add(name, value)
        for name, value in provider.headers:
            sent[name] = value
        if key is not None:
            exchange.binding = key.binding
            sent[key.header] = key.value
        query = scope["query_string"].decode("latin-1")
        target = Target(provider.scheme, provider.host_port, f"{provider.prefix}/{path}", f"?{query}" if query else "")
        relay = _Relay(scope, receive, send, exchange, self._clock)
        try:
            answer = await self._ask(relay, target, sent)
            try:
                await relay.back(answer, still_open=lambda: self._sessions.is_open(exchange.session))
            finally:
                answer.close()
        except Failure as failure:
            await self._refuse(exchange, failure)
        except asyncio.CancelledError:
            if not relay.client_gone:
                raise
            exchange.outcome = "client_gone"
        finally:
            relay.end()
        # After the last byte: writing it down holds nobody up.
        await self._audit.append(exchange.event(self._clock.monotonic()))

    def _key(self, provider: Provider, found: Presented) -> Resolved | None:
        if found.own:
            return None
        if not found.tokens and not self._keys.is_granted(provider):
            return None  # a provider that wants no key, or will say itself that it does
        return self._keys.resolve(provider, provider.credential)

    async def _ask(self, relay: "_Relay", target: Target, headers: CIMultiDict[str]) -> aiohttp.ClientResponse:
        where = str(target.host_port)
        token = DEPARTURE.set(Departure(target, target.host_port in self._allow_private, None))
        try:
            async with asyncio.timeout(self._header_seconds):
                return await self._outbound.session.request(
                    relay.method,
                    URL(target.url, encoded=True),
                    headers=headers,
                    data=await relay.body(),
                    allow_redirects=False,
                )
        except AddressRefused as refused:
            message = f"{refused} Model servers at such addresses are allowed with network.allow_private."
            raise _network(message) from refused
        except aiohttp.ConnectionTimeoutError as error:
            raise _network(f"{where} does not answer.") from error
        except TimeoutError as error:
            message = f"{where} did not begin to answer in {self._header_seconds:g} s."
            raise Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.EXTERNAL) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise _network(f"The certificate of {where} is not trusted: {error.certificate_error}") from error
        except (aiohttp.ClientError, Interrupted, OSError, ValueError) as error:
            raise _network(f"{where} cannot be reached: {error}") from error
        finally:
            DEPARTURE.reset(token)


class _Relay:
    """One request's way in and one answer's way back."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange, clock: Clock) -> None:
        self.method: str = scope["method"]
        self.client_gone = False
        self._receive = receive
        self._send = send
        self._exchange = exchange
        self._clock = clock
        self._task = asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None

    async def body(self) -> bytes | AsyncIterator[bytes] | None:
        """Return the body: at once if it is all there, otherwise piece by piece as it comes."""
        message = await self._receive()
        first = self._took(message)
        if message.get("more_body"):
            return self._pieces(first)
        self._watch()
        return first or None

    async def _pieces(self, first: bytes) -> AsyncIterator[bytes]:
        yield first
        more = True
        while more:
            message = await self._receive()
            piece = self._took(message)
            more = message.get("more_body", False)
            if piece:
                yield piece
        self._watch()

    def _took(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            self._leave()
            raise asyncio.CancelledError
        piece: bytes = message.get("body", b"")
        self._exchange.bytes_in += len(piece)
        return piece

    async def back(self, answer: aiohttp.ClientResponse, *, still_open: Any) -> None:
        """Send the answer as it comes; one that is cut off there is cut off here."""
        exchange = self._exchange
        exchange.status = answer.status
        exchange.first_byte = self._clock.monotonic()
        start = {"type": "http.response.start", "status": answer.status, "headers": back(answer.raw_headers)}
        content = answer.content
        try:
            # The head does not wait for a body that may be long in coming.
            await self._send(start)
            while True:
                piece = await content.readany()
                last = content.at_eof()
                exchange.bytes_out += len(piece)
                if not still_open():
                    exchange.outcome = "session_ended"
                    return
                if piece or last:
                    await self._send({"type": "http.response.body", "body": piece, "more_body": not last})
                if last:
                    exchange.outcome = "completed"
                    return
        except (aiohttp.ClientError, OSError):
            # Nothing more is sent: the server closes the connection in the middle, as it was closed here.
            exchange.outcome = "upstream_cut"

    def end(self) -> None:
        """Stop looking whether the client is still there."""
        if self._watching is not None:
            self._watching.cancel()

    def _watch(self) -> None:
        self._watching = asyncio.ensure_future(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._exchange.outcome != "completed":
            self._leave()

    def _leave(self) -> None:
        self.client_gone = True
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()


async def _fail(send: Send, failure: Failure, style: Style, *, status: int | None = None) -> None:
    code = status or STATUS.get(failure.failure_class, 500)
    body = error_body(failure, style, code)
    headers: Mapping[bytes, bytes] = {
        b"content-type": b"application/json",
        b"content-length": str(len(body)).encode(),
        b"connection": b"close",
    }
    await send({"type": "http.response.start", "status": code, "headers": [*headers.items()]})
    await send({"type": "http.response.body", "body": body})


def _network(message: str) -> Failure:
    return Failure(FailureClass.NETWORK_ERROR, message, boundary=Boundary.EXTERNAL, retriable=True)


def _no_websockets() -> Failure:
    message = "The gateway takes requests, not websockets; use HTTP."
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)


def _nobody_meant(providers: Providers) -> Failure:
    names = ", ".join(providers.by_name)
    message = f"This path means no provider. Paths begin with v1/, or with the name of one: {names}."
    return Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.USER)

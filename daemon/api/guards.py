"""The doors of the two apps: ASGI middleware in front of every route, so that no new route can forget it."""

import hmac
from collections.abc import Iterable
from functools import partial
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.api.browser import BrowserSession, BrowserSessions
from daemon.api.capabilities import note_claims
from daemon.api.denials import Denials
from daemon.api.envelopes import failure_response
from daemon.api.principals import let_in
from daemon.api.tool_calls import TakesCalls
from daemon.base.whole import Reply, Taken, Whole
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Means, Principal
from daemon.sessions.service import Sessions
from daemon.sessions.tokens import TOKEN_PREFIX, TokenClaims, TokenError

GATEWAY_PATH = "/llm/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/healthz"})


def _denied(message: str, status: int, audit_id: str | None = None) -> Response:
    failure = Failure(FailureClass.CAPABILITY_DENIED, message, boundary=Boundary.USER, audit_id=audit_id)
    return failure_response(failure, status=status)


class ControlDoor:
    """Lets through the master token and signed-in browsers; loopback alone is no proof of anything."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        master_token: str,
        browser: BrowserSessions,
        sessions: Sessions,
        denials: Denials,
        own_url: str,
    ) -> None:
        self._app = app
        self._master = master_token.encode()
        self._browser = browser
        self._sessions = sessions
        self._denials = denials
        self._own_url = own_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check Host and Origin, then who it is, then, for a browser's change, the token of its form."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = await self._check(scope)
        await (self._app if refusal is None else refusal)(scope, receive, send)

    async def _check(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        path, method = scope["path"], scope["method"]
        own = self._own_url
        if headers.get("host", "") != own.removeprefix("http://"):
            # A page that rebinds its own name to 127.0.0.1 arrives with its own name in Host.
            return await self._refuse(scope, "The Host header is not this daemon's address.", 403)
        origin = headers.get("origin")
        if origin is not None and origin != own:
            return await self._refuse(scope, "Requests from other origins are refused.", 403)
        if path in _OPEN_PATHS or path == "/login" or path.startswith("/static/"):
            return None
        authorization = headers.get("authorization", "")
        if authorization:
            return await self._check_bearer(scope, authorization)
        session = self._browser.find(headers)
        if session is None:
            if not path.startswith("/v1/") and path != "/openapi.json" and method in _SAFE:
                return None  # a page: it shows how to sign in, and nothing else
            return _denied("The control API needs the master token, or a browser signed in with `aileron open`.", 401)
        return await self._check_browser(scope, headers, session)

    async def _check_bearer(self, scope: Scope, authorization: str) -> Response | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._master):
            let_in(scope, Principal.person(Means.CLI))
            return None
        if TOKEN_PREFIX in authorization:
            return await self._refuse(
                scope, "A session token does not reach the control API.", 403, token=token.strip()
            )
        return await self._refuse(scope, "The token is not this daemon's master token.", 401)

    async def _check_browser(self, scope: Scope, headers: Headers, session: BrowserSession) -> Response | None:
        site = headers.get("sec-fetch-site", "same-origin")
        if scope["method"] not in _SAFE:
            if site not in {"same-origin", "none"}:
                return await self._refuse(scope, "The request did not come from a page of this daemon.", 403)
            if scope["path"].startswith("/v1/"):
                sent = headers.get("x-csrf-token", "")
                if not hmac.compare_digest(sent.encode(), session.csrf_token.encode()):
                    return await self._refuse(scope, "The X-CSRF-Token header is missing or wrong.", 403)
        scope["aileron.browser"] = session
        let_in(scope, Principal.person(Means.PAGE))
        return None

    async def _refuse(self, scope: Scope, reason: str, status: int, *, token: str | None = None) -> Response:
        session = None if token is None else self._sessions.bearer_of(token)
        audit_id = await self._denials.record(
            session=session, surface="control", method=scope["method"], path=scope["path"], reason=reason
        )
        return _denied(reason, status, audit_id)


class AgentDoor:
    """Lets through session tokens only; what each may do is said by the route."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        calls: TakesCalls,
        gateway: ASGIApp,
        sessions: Sessions,
        denials: Denials,
        own_url: str,
        only_session: str | None = None,
    ) -> None:
        self._app = app
        self._calls = calls
        self._gateway = gateway
        self._sessions = sessions
        self._denials = denials
        self._own_host = own_url.split("://", 1)[-1].encode()
        self._only_session = only_session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check Host and Origin, then the token; note what a valid token tried that does not exist."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host, origin, authorization = _looked_at(scope["headers"])
        if host != self._own_host or origin is not None:
            await _denied("This API is for agents of this machine, not for web pages.", 403)(scope, receive, send)
            return
        if scope["path"] in _OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(GATEWAY_PATH):
            # The authorization header there is the provider's; the token is in the path, and goes into no record.
            scope["aileron.only_session"] = self._only_session
            await self._gateway(scope, receive, send)
            return
        try:
            claims = self._claims_of(authorization)
        except TokenError as problem:
            audit_id = await self._denials.record(
                session=self._sessions.bearer_of(_token_in(authorization)),
                surface="agent",
                method=scope["method"],
                path=scope["path"],
                reason=str(problem),
            )
            await _denied(f"This API needs a session token: {problem}.", 401, audit_id)(scope, receive, send)
            return
        bearer = self._sessions.bearer(claims.session)
        await self._admit(claims, bearer, self._app, scope, receive, send)

    def take(self, request: Whole, reply: Reply) -> Taken | None:
        """Let in a request that came in one piece. One that must be refused is left alone: it is refused on its way."""
        host, origin, authorization = _looked_at(request.headers)
        if host != self._own_host or origin is not None:
            return None
        try:
            claims = self._claims_of(authorization)
        except TokenError:
            return None
        bearer = self._sessions.bearer(claims.session)
        return self._calls.take(request, reply, claims=claims, who=bearer, admit=partial(self._admit, claims, bearer))

    def _claims_of(self, authorization: str) -> TokenClaims:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise TokenError("there is no bearer token")
        return self._sessions.check_token_at(token.strip(), only=self._only_session)

    async def _admit(
        self, claims: TokenClaims, bearer: Principal, app: ASGIApp, scope: Scope, receive: Receive, send: Send
    ) -> None:
        note_claims(scope, claims)
        let_in(scope, bearer)
        await app(scope, receive, self._watching(scope, send, claims.session))

    def _watching(self, scope: Scope, send: Send, session: str) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and (
                message["status"] in {403, 405} or (message["status"] == 404 and not _is_known(scope))
            ):
                await self._denials.record(
                    session=session,
                    surface="agent",
                    method=scope["method"],
                    path=scope["path"],
                    reason=f"answered {message['status']}",
                )
            await send(message)

        return watch


def _token_in(authorization: str) -> str:
    return authorization.partition(" ")[2].strip()


def _looked_at(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes | None, str]:
    """Return the Host, the Origin and the Authorization of a request."""
    # By hand, because model requests pass here, too, and each pays for what is built for it.
    host = origin = authorization = None
    for name, value in headers:
        if name == b"host":
            host = value if host is None else b""  # two of them are none
        elif name == b"origin":
            origin = value
        elif name == b"authorization" and authorization is None:
            authorization = value.decode("latin-1")
    return host, origin, authorization or ""


def _is_known(scope: dict[str, Any] | Scope) -> bool:
    return "endpoint" in scope

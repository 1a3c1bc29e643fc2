"""What a person asks about logins: begin one, finish it, look how it goes, call it off, log out."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from daemon.audit.changes import recorded, recorded_after
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Entropy
from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.net.http1.pool import Pool
from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.authorisation import Challenges
from daemon.tools.servers.oauth.challenges import Challenge
from daemon.tools.servers.oauth.choosing import Clients
from daemon.tools.servers.oauth.devices import begin_device, wait_for_device
from daemon.tools.servers.oauth.discovery import Found, discover
from daemon.tools.servers.oauth.exchanges import Exchange, NotOurs, query_of, wanted_scopes
from daemon.tools.servers.oauth.grants import Grant, ask_for_tokens, revoke
from daemon.tools.servers.oauth.loopback import LOGGED_IN, NOT_EXPECTED, NOT_LOGGED_IN, Loopback, Page
from daemon.tools.servers.oauth.pending import Pending, Shown, Stage
from daemon.tools.servers.oauth.places import Places, resource_of
from daemon.tools.servers.oauth.problems import LoginError
from daemon.tools.servers.oauth.refusals import no_login_here, not_begun, not_logged_in, not_remote
from daemon.tools.servers.oauth.store import LoginStore
from daemon.tools.servers.values import Mode, ServerConfig

_SECONDS = 600.0
_LONGEST_WAIT = 25.0
SecretOf = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginParts:
    """What logins use."""

    store: LoginStore
    clients: Clients
    challenges: Challenges
    http: Pool
    secret_of: SecretOf
    """A plain secret of the vault by its name."""
    stop_server: Callable[[str], Awaitable[None]]
    audit: AuditLog
    clock: Clock
    entropy: Entropy
    tasks: TaskSet


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut:
    """What came of a logout."""

    issuer: str
    revoked: bool
    problem: str | None


class LoginService:
    """The logins of all servers; at most one of each is under way."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts
        self._pending: dict[str, Pending] = {}

    async def begin(self, server: ServerConfig, *, device: bool, by: Principal, session: str) -> Shown:
        """Begin a login and return where the person goes; raises Failure."""
        at = _at(server)
        self._parts.store.need_open()
        await self.cancel(server.name)
        asker = Asker(self._parts.http, Places.for_server(at))
        try:
            challenge = self._parts.challenges.last(at) or await asker.challenge(at)
            found = await discover(asker, at, challenge)
            login = await self._made(server, asker, found, self._scopes(at, found, challenge), by, session)
            try:
                if device:
                    await self._by_device(login, at)
                else:
                    login.shown = Shown(stage=Stage.WAITING, url=login.exchange.url, issuer=found.server.issuer)
                    login.work = self._parts.tasks.start(self._too_late(login), name="wait for a login")
            except BaseException:
                login.end(Shown(stage=Stage.FAILED))
                raise
        except LoginError as problem:
            raise await self._not_begun(server, problem, by, session) from problem
        await self.cancel(server.name)  # another one may have been begun meanwhile
        self._pending[server.name] = login
        return login.shown

    async def state(self, server: ServerConfig, wait: float) -> Shown:
        """Return how a login goes, after waiting a while for its end; raises Failure if none was begun."""
        login = self._pending.get(server.name)
        if login is None:
            raise no_login_here(server.name)
        try:
            async with asyncio.timeout(min(wait, _LONGEST_WAIT)):
                await login.over.wait()
        except TimeoutError:
            pass
        return login.shown

    async def finish(self, server: ServerConfig, pasted: str) -> Shown:
        """Take the address that the browser ended on; raises Failure if it is not of this login."""
        login = self._pending.get(server.name)
        if login is None or login.by_device or login.over.is_set():
            raise no_login_here(server.name)
        try:
            await self._came(login, query_of(pasted))
        except NotOurs as problem:
            raise Failure(FailureClass.INVALID_ARGUMENTS, problem.message, boundary=Boundary.USER) from problem
        return login.shown

    async def cancel(self, server: str) -> None:
        """Call off a login that waits."""
        login = self._pending.pop(server, None)
        if login is not None:
            was_over = login.over.is_set()
            login.end(Shown(stage=Stage.FAILED, message="It was called off, or another one was begun."))
            if not was_over:
                await self._doubt_client(login)

    async def logout(self, server: ServerConfig, *, by: Principal, session: str) -> LoggedOut:
        """Take the tokens out of the vault, and have them revoked where they came from; raises Failure."""
        at = _at(server)
        await self.cancel(server.name)
        if self._parts.store.entry(at) is None:
            raise not_logged_in(server.name)
        self._parts.store.need_open()
        grant = self._parts.store.grant(at)
        issuer, scopes = (grant.issuer, grant.scopes) if grant is not None else ("", ())
        event = _event(EventType.SERVER_LOGGED_OUT, server, issuer, scopes, by, session)
        await recorded_after(self._parts.audit, event, lambda: self._parts.store.forget(at))
        await self._parts.stop_server(server.name)
        problem = await self._revoked(grant) if grant is not None else "what was stored could not be read"
        return LoggedOut(issuer=issuer, revoked=problem is None, problem=problem)

    async def close(self) -> None:
        """Call off everything that waits."""
        for login in self._pending.values():
            login.end(Shown(stage=Stage.FAILED, message="The daemon was stopped."))

    async def _made(
        self, server: ServerConfig, asker: Asker, found: Found, scopes: tuple[str, ...], by: Principal, session: str
    ) -> Pending:
        listener = Loopback(lambda query: self._page(server.name, query))
        redirect_url = await self._listening(listener, found.server.issuer)
        try:
            secret = self._secret(server)
            client = await self._parts.clients.choose(asker, found.server, server, secret, redirect_url)
            exchange = Exchange.begun(
                found, client, redirect_url=redirect_url, scopes=scopes, entropy=self._parts.entropy
            )
        except BaseException:
            listener.close()
            raise
        return Pending(
            server=server,
            found=found,
            asker=asker,
            client=client,
            scopes=scopes,
            by=by,
            session=session,
            exchange=exchange,
            listener=listener,
        )

    async def _listening(self, listener: Loopback, issuer: str) -> str:
        port = self._parts.clients.port(issuer)
        try:
            return await listener.open(port)
        except OSError as error:
            if port == self._parts.clients.own_port:
                raise LoginError(f"The port {port} of servers.redirect_port is taken: {error.strerror}.") from error
            return await listener.open()  # somebody else has the port, so a client is registered anew

    def _scopes(self, at: str, found: Found, challenge: Challenge) -> tuple[str, ...]:
        grant = self._parts.store.grant(at)
        granted = grant.scopes if grant is not None and grant.issuer == found.server.issuer else ()
        return wanted_scopes(
            challenge.scopes,
            found.resource.scopes,
            granted if challenge.wants_more else (),
            refresh_scope=found.server.has_refresh_scope,
        )

    def _secret(self, server: ServerConfig) -> str | None:
        raw = self._parts.secret_of(f"{server.name}/client_secret") if server.client_id is not None else None
        return None if raw is None else raw.decode(errors="replace")

    async def _by_device(self, login: Pending, at: str) -> None:
        login.by_device = True
        login.listener.close()
        device = await begin_device(login)
        issuer = login.found.server.issuer
        login.shown = Shown(stage=Stage.WAITING, url=device.url, code=device.user_code, issuer=issuer)

        async def wait() -> None:
            await self._carried_out(login, lambda: wait_for_device(login, device, login.grant(at), self._parts.clock))

        login.work = self._parts.tasks.start(wait(), name="wait for a login")

    async def _too_late(self, login: Pending) -> None:
        await asyncio.sleep(_SECONDS)
        if not login.is_taken:
            login.end(Shown(stage=Stage.FAILED, message=f"Nobody came back from the browser in {_SECONDS:g} s."))
            await self._doubt_client(login)

    async def _doubt_client(self, login: Pending) -> None:
        """Let the next login register a client anew, after one that nobody came back from.

        An authorization server that has forgotten its clients says so on a page of its own, and we hear nothing.
        """
        if login.client.registered_for is not None:
            with contextlib.suppress(Failure):
                await self._parts.store.forget_client(login.found.server.issuer)

    async def _page(self, server: str, query: str) -> Page:
        login = self._pending.get(server)
        if login is None or login.over.is_set():
            return NOT_EXPECTED
        try:
            await self._came(login, query)
        except NotOurs:
            return NOT_EXPECTED
        return LOGGED_IN if login.shown.stage is Stage.DONE else NOT_LOGGED_IN

    async def _came(self, login: Pending, query: str) -> None:
        """Exchange the code of an answer, once; raises NotOurs for an answer that is not of this login."""
        exchange = login.exchange
        if login.by_device or login.is_taken:
            raise NotOurs("An answer to this login is here already.")

        async def tokens() -> Grant:
            fields = {
                "grant_type": "authorization_code",
                "code": exchange.code(query),
                "redirect_uri": exchange.redirect_url,
                "code_verifier": exchange.verifier,
            }
            grant = login.grant(_at(login.server))
            return await ask_for_tokens(login.asker, grant, fields, self._parts.clock.now_ms())

        await self._carried_out(login, tokens)

    async def _carried_out(self, login: Pending, tokens: Callable[[], Awaitable[Grant]]) -> None:
        server = login.server
        login.is_taken = True
        try:
            grant = await tokens()
            event = _event(EventType.SERVER_LOGGED_IN, server, grant.issuer, grant.scopes, login.by, login.session)
            await recorded(self._parts.audit, event, lambda: self._parts.store.save(grant))
        except NotOurs:
            login.is_taken = False
            raise
        except LoginError as problem:
            login.end(replace(login.shown, stage=Stage.FAILED, message=problem.message))
            if problem.code == "invalid_client":
                await self._doubt_client(login)
            await self._tell_failed(server, problem, login.by, login.session)
        except Failure as failure:
            login.end(replace(login.shown, stage=Stage.FAILED, message=failure.message))
        except BaseException:
            login.end(replace(login.shown, stage=Stage.FAILED, message="It was broken off. Begin it again."))
            raise
        else:
            self._parts.challenges.met(grant.at)
            login.end(Shown(stage=Stage.DONE, issuer=grant.issuer, scopes=grant.scopes))

    async def _revoked(self, grant: Grant) -> str | None:
        try:
            await revoke(Asker(self._parts.http, Places.for_server(grant.at)), grant)
        except LoginError as problem:
            return problem.message
        return None

    async def _not_begun(self, server: ServerConfig, problem: LoginError, by: Principal, session: str) -> Failure:
        await self._tell_failed(server, problem, by, session)
        return not_begun(server.name, problem)

    async def _tell_failed(self, server: ServerConfig, problem: LoginError, by: Principal, session: str) -> None:
        event = _event(EventType.SERVER_LOGIN_FAILED, server, "", (), by, session)
        reason = {Attr.ERROR_TYPE: (problem.code or "refused")[:60]}
        await self._parts.audit.append(replace(event, payload={**event.payload, **reason}))


def _at(server: ServerConfig) -> str:
    if server.mode is not Mode.REMOTE or server.url is None or has_own_header(server):
        raise not_remote(server)
    return resource_of(server.url.partition("?")[0])


def has_own_header(server: ServerConfig) -> bool:
    """Say whether a server is let in by a header of its configuration; then no login is sent there."""
    return any(name.lower() == "authorization" for name in server.headers)


def _event(
    kind: EventType, server: ServerConfig, issuer: str, scopes: tuple[str, ...], by: Principal, session: str
) -> AuditEvent:
    payload = {
        Attr.SERVER_NAME: server.name,
        Attr.SERVER_IDENTITY: server.identity,
        Attr.SERVER_ISSUER: issuer,
        Attr.SERVER_SCOPES: list(scopes),
    }
    return AuditEvent(type=kind, session=session, actor=by, payload=payload)

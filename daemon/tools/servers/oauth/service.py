"""What a person asks about logins: begin one, finish it, look how it goes, call it off, log out."""

import asyncio
from dataclasses import dataclass

from daemon.audit.changes import recorded_after
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.core.vocabulary import EventType
from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.challenges import Challenge
from daemon.tools.servers.oauth.completing import Completion
from daemon.tools.servers.oauth.devices import begin_device, wait_for_device
from daemon.tools.servers.oauth.discovery import Found, discover
from daemon.tools.servers.oauth.exchanges import Exchange, NotOurs, query_of, wanted_scopes
from daemon.tools.servers.oauth.grants import Grant, revoke
from daemon.tools.servers.oauth.loopback import LOGGED_IN, NOT_EXPECTED, NOT_LOGGED_IN, Loopback, Page
from daemon.tools.servers.oauth.parts import LoginParts, at_of, event_of, place_of
from daemon.tools.servers.oauth.pending import Pending, Shown, Stage
from daemon.tools.servers.oauth.places import Places
from daemon.tools.servers.oauth.problems import LoginError
from daemon.tools.servers.oauth.refusals import no_login_here, not_begun, not_logged_in
from daemon.tools.servers.values import ServerConfig

_SECONDS = 600.0
_LONGEST_WAIT = 25.0


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
        self._completion = Completion(parts)
        self._pending: dict[str, Pending] = {}

    async def begin(self, server: ServerConfig, *, device: bool, by: Principal, session: str) -> Shown:
        """Begin a login and return where the person goes; raises Failure."""
        at = at_of(server)
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
            await self._completion.came(login, query_of(pasted))
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
                await self._completion.doubt_client(login)

    async def logout(self, server: ServerConfig, *, by: Principal, session: str) -> LoggedOut:
        """Take the tokens out of the vault, and have them revoked where they came from; raises Failure."""
        at = at_of(server)
        await self.cancel(server.name)
        if self._parts.store.entry(at) is None:
            raise not_logged_in(server.name)
        return await self._taken_out(server, at, by, session)

    def has_login(self, server: ServerConfig) -> bool:
        """Say whether tokens for the address of a server are kept, also if a header lets it in by now."""
        place = place_of(server)
        return place is not None and self._parts.store.entry(place) is not None

    async def taken_out(self, server: ServerConfig, *, by: Principal, session: str) -> LoggedOut | None:
        """Log out of a server that is about to be removed, also if a header lets it in by now; None without a login.

        Raises the Failure of a locked vault.
        """
        await self.cancel(server.name)
        at = place_of(server)
        if at is None or not self.has_login(server):
            return None
        return await self._taken_out(server, at, by, session)

    async def _taken_out(self, server: ServerConfig, at: str, by: Principal, session: str) -> LoggedOut:
        self._parts.store.need_open()
        grant = self._parts.store.grant(at)
        issuer, scopes = (grant.issuer, grant.scopes) if grant is not None else ("", ())
        event = event_of(EventType.SERVER_LOGGED_OUT, server, issuer, scopes, by, session)
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
            await self._completion.carried_out(
                login, lambda: wait_for_device(login, device, login.grant(at), self._parts.clock)
            )

        login.work = self._parts.tasks.start(wait(), name="wait for a login")

    async def _too_late(self, login: Pending) -> None:
        await asyncio.sleep(_SECONDS)
        if not login.is_taken:
            login.end(Shown(stage=Stage.FAILED, message=f"Nobody came back from the browser in {_SECONDS:g} s."))
            await self._completion.doubt_client(login)

    async def _page(self, server: str, query: str) -> Page:
        login = self._pending.get(server)
        if login is None or login.over.is_set():
            return NOT_EXPECTED
        try:
            await self._completion.came(login, query)
        except NotOurs:
            return NOT_EXPECTED
        return LOGGED_IN if login.shown.stage is Stage.DONE else NOT_LOGGED_IN

    async def _revoked(self, grant: Grant) -> str | None:
        try:
            await revoke(Asker(self._parts.http, Places.for_server(grant.at)), grant)
        except LoginError as problem:
            return problem.message
        return None

    async def _not_begun(self, server: ServerConfig, problem: LoginError, by: Principal, session: str) -> Failure:
        await self._completion.tell_failed(server, problem, by, session)
        return not_begun(server.name, problem)

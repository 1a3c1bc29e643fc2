"""Completes a login: exchanges its code, keeps what it brought, and writes down how it went."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from daemon.audit.changes import recorded
from daemon.core.failures import Failure
from daemon.core.principal import Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.tools.servers.oauth.exchanges import NotOurs
from daemon.tools.servers.oauth.grants import Grant, ask_for_tokens
from daemon.tools.servers.oauth.parts import LoginParts, at_of, event_of
from daemon.tools.servers.oauth.pending import Pending, Shown, Stage
from daemon.tools.servers.oauth.problems import LoginError
from daemon.tools.servers.values import ServerConfig


class Completion:
    """What follows when the person has logged in, or has not."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts

    async def came(self, login: Pending, query: str) -> None:
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
            grant = login.grant(at_of(login.server))
            return await ask_for_tokens(login.asker, grant, fields, self._parts.clock.now_ms())

        await self.carried_out(login, tokens)

    async def carried_out(self, login: Pending, tokens: Callable[[], Awaitable[Grant]]) -> None:
        """Get the tokens and keep them; ends the login either way, but for an answer that is not of it."""
        server = login.server
        login.is_taken = True
        try:
            grant = await tokens()
            event = event_of(EventType.SERVER_LOGGED_IN, server, grant.issuer, grant.scopes, login.by, login.session)
            await recorded(self._parts.audit, event, lambda: self._parts.store.save(grant))
        except NotOurs:
            login.is_taken = False
            raise
        except LoginError as problem:
            login.end(replace(login.shown, stage=Stage.FAILED, message=problem.message))
            if problem.code == "invalid_client":
                await self.doubt_client(login)
            await self.tell_failed(server, problem, login.by, login.session)
        except Failure as failure:
            login.end(replace(login.shown, stage=Stage.FAILED, message=failure.message))
        except BaseException:
            login.end(replace(login.shown, stage=Stage.FAILED, message="It was broken off. Begin it again."))
            raise
        else:
            self._parts.challenges.met(grant.at)
            login.end(Shown(stage=Stage.DONE, issuer=grant.issuer, scopes=grant.scopes))

    async def doubt_client(self, login: Pending) -> None:
        """Let the next login register a client anew, after one that nobody came back from.

        An authorization server that has forgotten its clients says so on a page of its own, and we hear nothing.
        """
        if login.client.registered_for is not None:
            with contextlib.suppress(Failure):
                await self._parts.store.forget_client(login.found.server.issuer)

    async def tell_failed(self, server: ServerConfig, problem: LoginError, by: Principal, session: str) -> None:
        """Write down that a login failed."""
        event = event_of(EventType.SERVER_LOGIN_FAILED, server, "", (), by, session)
        reason = {Attr.ERROR_TYPE: problem.code or "refused"}
        await self._parts.audit.append(event._replace(payload={**event.payload, **reason}))

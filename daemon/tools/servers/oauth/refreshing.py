"""Keeps logins usable: gives out the tokens, and has them renewed by one request however many calls wait."""

import asyncio
from collections.abc import Callable, Mapping

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock
from daemon.base.tasks import TaskSet
from daemon.core.principal import DAEMON
from daemon.core.vocabulary import Attr, EventType
from daemon.net.http1.pool import Pool
from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.grants import Grant, ask_for_tokens
from daemon.tools.servers.oauth.places import Places
from daemon.tools.servers.oauth.problems import LoginError
from daemon.tools.servers.oauth.store import LoginStore
from daemon.tools.servers.upstream.seam import Trouble, UpstreamError

_OVER = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})
"""What an authorization server says of a login that no further request can mend."""
_PAUSE_SECONDS = 30.0
"""How long an authorization server that failed is left alone while the token is still good."""

Secrets = frozenset[str]
OnSecrets = Callable[[str, Secrets], None]
"""Hears what must be taken out of everything that comes back from a server, by its name."""


class Grants:
    """The tokens of all servers."""

    def __init__(self, *, store: LoginStore, http: Pool, audit: AuditLog, clock: Clock, tasks: TaskSet) -> None:
        self._store = store
        self._http = http
        self._audit = audit
        self._clock = clock
        self._tasks = tasks
        self._renewing: dict[str, asyncio.Task[Grant | LoginError | None]] = {}
        self._rests_until: dict[str, float] = {}

    async def current(self, server: str, at: str) -> Grant | None:
        """Return tokens that are good; None if nobody is logged in.

        Raises UpstreamError, and the Failure of a locked vault or of a log that cannot be written.
        """
        grant = self._store.grant(at)
        if grant is None or not grant.is_due(self._clock.now_ms()):
            return grant
        is_over = grant.is_over(self._clock.now_ms())
        if not is_over and self._clock.monotonic() < self._rests_until.get(at, 0.0):
            return grant
        try:
            return await self._renewed(server, grant)
        except LoginError as problem:
            self._rests_until[at] = self._clock.monotonic() + _PAUSE_SECONDS
            if not is_over:
                return grant
            message = f"its login cannot be renewed: {problem.message}"
            raise UpstreamError(Trouble.NOT_REACHED, message) from problem

    async def after_refusal(self, server: str, at: str, sent: str | None) -> bool:
        """Hear that a server refused a request with this token; return whether there is another one to try.

        A call that comes late with the former token does not have the new one renewed.
        """
        grant = self._store.grant(at)
        if grant is None:
            return False
        if grant.access_token != sent:
            return True
        if grant.refresh_token is None:
            return False
        try:
            return await self._renewed(server, grant) is not None
        except LoginError as problem:
            message = f"its login cannot be renewed: {problem.message}"
            raise UpstreamError(Trouble.NOT_REACHED, message) from problem

    async def _renewed(self, server: str, grant: Grant) -> Grant | None:
        """Wait for the one request. A caller that is called off does not end it: the answer may hold the only token."""
        task = self._renewing.get(grant.at)
        if task is None:
            task = self._tasks.start(self._renew(server, grant), name="renew a login")
            self._renewing[grant.at] = task
            task.add_done_callback(lambda _: self._renewing.pop(grant.at, None))
        renewed = await asyncio.shield(task)
        if isinstance(renewed, LoginError):
            raise LoginError(renewed.message, code=renewed.code)  # each of those who wait raises one of its own
        return renewed

    async def _renew(self, server: str, grant: Grant) -> Grant | LoginError | None:
        asker = Asker(self._http, Places.for_server(grant.at))
        fields = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token or ""}
        try:
            renewed = await ask_for_tokens(asker, grant, fields, self._clock.now_ms())
        except LoginError as problem:
            if problem.code not in _OVER:
                return problem
            if problem.code != "invalid_grant":
                await self._store.forget_client(grant.issuer)
            if self._store.grant(grant.at) == grant:
                await self._store.forget(grant.at)
                await self._tell(EventType.SERVER_LOGIN_ENDED, server, grant, {Attr.ERROR_TYPE: problem.code})
            return self._store.grant(grant.at)
        if await self._store.replace(grant, renewed):
            await self._tell(EventType.SERVER_LOGIN_RENEWED, server, renewed, {})
        return self._store.grant(grant.at)

    async def _tell(self, kind: EventType, server: str, grant: Grant, more: Mapping[str, str]) -> None:
        payload = {Attr.SERVER_NAME: server, Attr.SERVER_ISSUER: grant.issuer, Attr.SERVER_SCOPES: list(grant.scopes)}
        await self._audit.append(AuditEvent(type=kind, session=None, actor=DAEMON, payload=payload | dict(more)))

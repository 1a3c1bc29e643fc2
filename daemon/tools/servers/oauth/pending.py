"""A login that has begun and waits for the person."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from daemon.core.principal import Principal
from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.clients import Client
from daemon.tools.servers.oauth.discovery import Found
from daemon.tools.servers.oauth.exchanges import Exchange
from daemon.tools.servers.oauth.grants import Grant
from daemon.tools.servers.oauth.loopback import Loopback
from daemon.tools.servers.values import ServerConfig


class Stage(StrEnum):
    """How far a login is."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the person is shown of a login."""

    stage: Stage
    url: str | None = None
    """Where the person goes."""
    code: str | None = None
    """What they type there, in the login by a device."""
    message: str | None = None
    issuer: str | None = None
    scopes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Pending:
    """One login.

    waiting --the code came and was exchanged--> done
    waiting --refused, too late or called off--> failed
    """

    server: ServerConfig
    found: Found
    asker: Asker
    client: Client = field(repr=False)
    scopes: tuple[str, ...]
    by: Principal
    session: str
    exchange: Exchange = field(repr=False)
    listener: Loopback
    by_device: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_taken: bool = False
    """Whether an answer is being exchanged: a code is used once."""
    work: asyncio.Task[None] | None = None
    shown: Shown = Shown(stage=Stage.WAITING)

    def end(self, shown: Shown) -> None:
        """Say how it went; what comes later changes nothing."""
        if not self.over.is_set():
            self.shown = shown
            self.over.set()
        self.listener.close()
        if self.work is not None and self.work is not asyncio.current_task():
            self.work.cancel()

    def grant(self, at: str) -> Grant:
        """Return the grant that its tokens will be put into."""
        server = self.found.server
        return Grant(
            issuer=server.issuer,
            resource=self.found.resource.resource,
            at=at,
            client=self.client,
            token_url=server.token_url,
            revocation_url=server.revocation_url,
            scopes=self.scopes,
        )

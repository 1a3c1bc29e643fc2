"""Logins over a real vault and a real log in a folder, with a clock that the test moves, and a lying server."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from servers.lying_server import LyingServer, lying
from servers.pin_room import PERSON, PinRoom, pin_room

from daemon.base.clock import SystemClock
from daemon.base.tasks import TaskSet
from daemon.net.addresses import IpAddress
from daemon.net.http1.pool import Pool
from daemon.tools.servers.logins import LoginBasis, Logins
from daemon.tools.servers.oauth.choosing import OwnClient
from daemon.tools.servers.oauth.pending import Shown
from daemon.tools.servers.oauth.service import LoginService
from daemon.tools.servers.upstream.transport import Authorisation
from daemon.tools.servers.values import Mode, ServerConfig
from daemon.vault.crypto import KdfCost
from daemon.vault.vault import Vault

PASSPHRASE = "correct horse battery"


class MovedClock(SystemClock):
    """The time of the machine, with some more that has passed."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + round(self.passed * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self.passed


class NoLives:
    """Stands where the processes of servers are; here none runs."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    async def stop(self, server: str) -> None:
        self.stopped.append(server)


@dataclass
class LoginRoom:
    """One person, one server, and the authorization server that it names."""

    lying: LyingServer
    service: LoginService
    logins: Logins
    vault: Vault
    clock: MovedClock
    log: PinRoom
    config: ServerConfig
    secrets: set[str]
    plain: dict[str, bytes]

    def authorisation(self) -> Authorisation:
        """Return what lets a new connection in."""
        found = self.logins.authorisation_of(self.config)
        assert found is not None
        return found

    async def token(self) -> str | None:
        """Return the access token that the next request is made with."""
        return dict(await self.authorisation().headers()).get("authorization", "").removeprefix("Bearer ") or None

    async def begin(self, *, device: bool = False) -> Shown:
        """Begin a login."""
        return await self.service.begin(self.config, device=device, by=PERSON, session="ses_test")

    async def come_back(self, begun: Shown, **changes: str | None) -> Shown:
        """Come back from the browser with an answer; a change of None leaves a parameter out."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.url or "").query).items()}
        said: dict[str, Any] = {"code": "sentinel-code", "state": asked["state"], "iss": self.lying.origin} | changes
        query = urlencode({name: value for name, value in said.items() if value is not None})
        async with httpx.AsyncClient(trust_env=False) as browser:
            await browser.get(f"{asked['redirect_uri']}?{query}")
        return await self.service.state(self.config, 0)

    async def log_in(self) -> Shown:
        """Log in."""
        return await self.come_back(await self.begin())

    def change(self, **changes: Any) -> None:
        """Configure the server otherwise."""
        self.config = replace(self.config, **changes)


async def _to_this_machine(host: str, port: int) -> Sequence[IpAddress]:
    """Resolve every name to this machine, as somebody does who wants our requests to go to services here."""
    return [ip_address("127.0.0.1")]


@asynccontextmanager
async def login_room(folder: Path, *, own: OwnClient | None = None) -> AsyncIterator[LoginRoom]:
    """Offer one."""
    clock, secrets, plain = MovedClock(), set[str](), dict[str, bytes]()
    http = Pool(extra_ca_file=None, connect_seconds=2, allow_private=frozenset(), resolver=_to_this_machine)
    async with _vault(folder, clock) as vault, pin_room(folder) as log, lying() as server:
        basis = LoginBasis(
            vault=vault,
            audit=log.audit,
            http=http,
            clock=clock,
            entropy=os.urandom,
            tasks=TaskSet(),
            own=own or OwnClient(),
        )
        async with _logins(basis, plain) as (logins, service):
            logins.on_secrets = lambda _, found: secrets.update(found)
            config = ServerConfig(name="far", mode=Mode.REMOTE, url=f"{server.origin}/mcp")
            yield LoginRoom(server, service, logins, vault, clock, log, config, secrets, plain)


@asynccontextmanager
async def logins_of_this_machine(
    folder: Path, *, own: OwnClient, plain: dict[str, bytes]
) -> AsyncIterator[tuple[Logins, LoginService]]:
    """Offer logins at servers that are really there."""
    clock = SystemClock()
    http = Pool(extra_ca_file=None, connect_seconds=5, allow_private=frozenset())
    async with _vault(folder, clock) as vault, pin_room(folder) as log:
        basis = LoginBasis(
            vault=vault, audit=log.audit, http=http, clock=clock, entropy=os.urandom, tasks=TaskSet(), own=own
        )
        async with _logins(basis, plain) as found:
            yield found


@asynccontextmanager
async def _vault(folder: Path, clock: SystemClock) -> AsyncIterator[Vault]:
    vault = Vault(path=folder / "vault.json", clock=clock, idle_seconds=0, entropy=os.urandom, kdf=KdfCost(1, 8, 1))
    await vault.create(PASSPHRASE)
    try:
        yield vault
    finally:
        await vault.close()


@asynccontextmanager
async def _logins(basis: LoginBasis, plain: dict[str, bytes]) -> AsyncIterator[tuple[Logins, LoginService]]:
    logins = Logins(basis)
    service = logins.begin(NoLives(), plain.get)
    try:
        yield logins, service
    finally:
        await service.close()
        await basis.tasks.close()
        await basis.http.close()

"""The servers of `servers.yaml` joined to the kind of tool: their file, what holds them, and the person's side."""

import os
from dataclasses import dataclass
from pathlib import Path

from daemon.app.basis import Basis
from daemon.audit.log import AuditLog
from daemon.core.authority import HostPort
from daemon.db.reader import Reader
from daemon.net.http1.pool import Pool as HttpPool
from daemon.sessions.service import Sessions
from daemon.tools.servers import build as servers_room
from daemon.tools.servers.answering import Answerers
from daemon.tools.servers.build import ServerLimits, Servers
from daemon.tools.servers.configuration.configuration import Configuration
from daemon.tools.servers.holding import Holding, Places
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.oauth.choosing import OwnClient
from daemon.tools.servers.oauth.service import LoginService
from daemon.tools.servers.roots import Workspaces
from daemon.tools.servers.sampling import Ruling, Sampling
from daemon.tools.servers.service import ServerService
from daemon.vault.vault import Vault

_CONNECT_SECONDS = 10.0
"""How long a connection to a remote server may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BelowServers:
    """What servers use of the rooms below them."""

    vault: Vault
    audit: AuditLog
    reader: Reader
    sessions: Sessions
    allowed: frozenset[HostPort]
    """The private addresses that the person allowed."""
    ruling: Ruling
    """What the person's rules say of a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonsSide:
    """What a person decides about servers."""

    service: ServerService
    logins: LoginService


async def read_configuration(basis: Basis) -> Configuration:
    """Read `servers.yaml`. To be called before the end of the tasks is put into the list of what is stopped.

    Who looks at the file again is one of the tasks, and they end before the thread of the file does.
    """
    configuration = Configuration(basis.home.servers_path)
    basis.stops.callback(configuration.close)
    await configuration.look()
    return configuration


async def open_servers(
    basis: Basis, configuration: Configuration, below: BelowServers, held: HeldServers | None
) -> tuple[Servers, PersonsSide | None]:
    """Return the kind of tool, and the person's side of it; none for servers that `held` puts in the file's place."""
    answerers = Answerers(Sampling(ruling=below.ruling, audit=below.audit), Workspaces())
    if held is not None:
        return await _build(basis, below, held, answerers), None
    holding = _hold(basis, configuration, below, answerers)
    servers = await _build(basis, below, holding.held, answerers)
    return servers, PersonsSide(service=holding.begin(servers, below.audit), logins=holding.logins())


async def _build(basis: Basis, below: BelowServers, held: HeldServers, answerers: Answerers) -> Servers:
    settings = basis.settings.servers
    return await servers_room.build(
        held=held,
        answerers=answerers,
        limits=ServerLimits(
            result_characters=settings.result_limit,
            listed_tools=settings.listed_tools,
            look_again_seconds=settings.look_again_seconds,
        ),
        on_session_end=below.sessions.on_end,
        audit=below.audit,
        reader=below.reader,
        clock=basis.clock,
        entropy=basis.entropy,
        tasks=basis.tasks,
    )


def _hold(basis: Basis, configuration: Configuration, below: BelowServers, answerers: Answerers) -> Holding:
    holding = Holding(
        configuration=configuration,
        places=Places(logs=basis.home.server_logs_dir, person_home=Path.home(), environment=os.environ),
        vault=below.vault,
        audit=below.audit,
        own=OwnClient(
            metadata_url=basis.settings.servers.client_metadata_url, redirect_port=basis.settings.servers.redirect_port
        ),
        answerers=answerers,
        entropy=basis.entropy,
        http=HttpPool(
            extra_ca_file=basis.settings.network.extra_ca_file,
            connect_seconds=_CONNECT_SECONDS,
            allow_private=below.allowed,
        ),
        clock=basis.clock,
        tasks=basis.tasks,
        stops=basis.stops,
    )
    below.sessions.on_end(holding.session_ended)
    return holding

"""The servers of a home: their file, their secrets, their processes, and the person's side of them."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from daemon.audit.log import AuditLog
from daemon.base.clock import Clock
from daemon.base.tasks import TaskSet
from daemon.net.http1.pool import Pool as HttpPool
from daemon.tools.servers.build import Servers
from daemon.tools.servers.configuration.configuration import Configuration
from daemon.tools.servers.keeping.log import ServerLogs
from daemon.tools.servers.keeping.process import Keeping
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.lives.opening import Opener, Surroundings
from daemon.tools.servers.lives.pool import Pool
from daemon.tools.servers.resolving import Resolver
from daemon.tools.servers.service import ServerService
from daemon.tools.servers.upstream.seam import Message
from daemon.tools.servers.values import ServerConfig
from daemon.vault.vault import Vault

_TOOLS_CHANGED = "notifications/tools/list_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the file and the logs are, and what of the person's own a local server is given."""

    file: Path
    logs: Path
    person_home: Path
    environment: Mapping[str, str]


class Holding:
    """Everything that is made before the kind of tool, and closed after it."""

    def __init__(self, *, places: Places, vault: Vault, http: HttpPool, clock: Clock, tasks: TaskSet) -> None:
        self.configuration = Configuration(places.file)
        self._clock = clock
        self._tasks = tasks
        self._keeping = Keeping(tasks)
        self._logs = ServerLogs(places.logs, clock)
        self._http = http
        self._servers: Servers | None = None
        self._opener = Opener(
            secrets=Resolver(vault),
            keeping=self._keeping,
            logs=self._logs,
            http=http,
            surroundings=Surroundings(environment=places.environment, folder=places.person_home),
        )
        self._opener.on_notice = self._heard
        self._pool = Pool(self._opener.open, clock, tasks, configured=self.configuration)

    @property
    def held(self) -> HeldServers:
        """Return what the kind of tool needs."""
        return HeldServers(configured=self.configuration, lender=self._pool, scrubber_of=self._opener.scrubber_of)

    def session_ended(self, session: str) -> None:
        """End what a session has for itself."""
        self._pool.session_ended(session)

    def begin(self, servers: Servers, audit: AuditLog) -> ServerService:
        """Follow the file from now on, and return the person's side."""
        self._servers = servers
        service = ServerService(
            configuration=self.configuration,
            scrubber_of=self._opener.scrubber_of,
            lives=self._pool,
            logs=self._logs,
            pins=servers.pins,
            looks=servers.looks,
            audit=audit,
            clock=self._clock,
        )
        self._tasks.start(self.configuration.watch(), name="watch servers.yaml")
        self._tasks.start(service.follow(), name="follow servers.yaml")
        return service

    async def close(self) -> None:
        """End every server, then what holds them."""
        async with AsyncExitStack() as ends:
            ends.callback(self.configuration.close)
            ends.callback(self._logs.close)
            ends.push_async_callback(self._http.close)
            ends.push_async_callback(self._keeping.close)
            ends.push_async_callback(self._pool.close)

    def _heard(self, server: ServerConfig, session: str, method: str, params: Message) -> None:  # noqa: ARG002
        if method == _TOOLS_CHANGED and self._servers is not None:
            self._servers.looks.list_changed(server, session)

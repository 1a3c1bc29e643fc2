"""The servers of a home: their file, their secrets, their processes, and the person's side of them."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Entropy
from daemon.base.tasks import TaskSet
from daemon.net.http1.pool import Pool as HttpPool
from daemon.tools.servers.acting import Acting
from daemon.tools.servers.answering import Answerers
from daemon.tools.servers.build import Servers
from daemon.tools.servers.configuration.configuration import Configuration
from daemon.tools.servers.keeping.log import ServerLogs
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.lives.build import build
from daemon.tools.servers.lives.opening import Surroundings
from daemon.tools.servers.logins import LoginBasis, Logins
from daemon.tools.servers.oauth.choosing import OwnClient
from daemon.tools.servers.oauth.service import LoginService
from daemon.tools.servers.service import ServerService
from daemon.vault.names import SECRET
from daemon.vault.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the logs are, and what of the person's own a local server is given."""

    logs: Path
    person_home: Path
    environment: Mapping[str, str]


class PlainSecrets:
    """The plain secrets of the vault. The credentials of bindings are for their connectors, and are none of them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def secret(self, name: str) -> bytes | None:
        """Return a secret; None if there is none of this name. Raises the Failure of a locked vault."""
        entry = self._vault.contents.entries.get(name)
        return None if entry is None or entry.kind != SECRET else self._vault.get(name)


class Holding:
    """What is made before the kind of tool; the kind of tool is built over `held`, and then `begin` is called."""

    def __init__(
        self,
        *,
        configuration: Configuration,
        places: Places,
        vault: Vault,
        audit: AuditLog,
        http: HttpPool,
        own: OwnClient,
        answerers: Answerers,
        clock: Clock,
        entropy: Entropy,
        tasks: TaskSet,
        stops: AsyncExitStack,
    ) -> None:
        self._configuration = configuration
        self._clock = clock
        self._tasks = tasks
        self._stops = stops
        self._secrets = PlainSecrets(vault)
        self._logins = Logins(
            LoginBasis(vault=vault, audit=audit, http=http, clock=clock, entropy=entropy, tasks=tasks, own=own)
        )
        self._lives = build(
            configured=configuration,
            secrets=self._secrets,
            logs=ServerLogs(places.logs, clock),
            http=http,
            surroundings=Surroundings(environment=places.environment, folder=places.person_home),
            clock=clock,
            tasks=tasks,
            stops=stops,
            authorisation_of=self._logins.authorisation_of,
            account_of=Acting(vault).account,
            answers_of=answerers.of_connection,
        )
        self._logins.on_secrets = self._lives.opener.secrets_known.tokens

    @property
    def held(self) -> HeldServers:
        """Return what the kind of tool needs."""
        return self._lives.held

    def session_ended(self, session: str) -> None:
        """End what a session has for itself."""
        self._lives.pool.session_ended(session)

    def logins(self) -> LoginService:
        """Return the person's side of the logins."""
        service = self._logins.begin(self._lives.pool, self._secrets.secret)
        self._stops.push_async_callback(service.close)
        return service

    def begin(self, servers: Servers, audit: AuditLog) -> ServerService:
        """Follow the file from now on, and return the person's side."""
        service = ServerService(
            configuration=self._configuration,
            scrubber_of=self._lives.held.scrubber_of,
            login_of=self._logins.login_of,
            check_secrets=self._lives.opener.check_secrets,
            lives=self._lives.pool,
            logs=self._lives.logs,
            pins=servers.pins,
            looks=servers.looks,
            audit=audit,
            clock=self._clock,
        )
        self._tasks.start(self._configuration.watch(), name="watch servers.yaml")
        self._tasks.start(service.follow(), name="follow servers.yaml")
        return service

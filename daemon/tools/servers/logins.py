"""Joins the logins at remote servers to what holds the servers."""

from dataclasses import dataclass

from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Entropy
from daemon.base.tasks import TaskSet
from daemon.net.http1.pool import Pool as HttpPool
from daemon.tools.servers.lives.pool import Pool
from daemon.tools.servers.oauth.authorisation import Challenges, ServerAuthorisation
from daemon.tools.servers.oauth.choosing import Clients, OwnClient
from daemon.tools.servers.oauth.own_header import OwnHeader, keys_of, own_header
from daemon.tools.servers.oauth.parts import LoginParts, SecretOf, login_place
from daemon.tools.servers.oauth.refreshing import Grants, OnSecrets
from daemon.tools.servers.oauth.service import LoginService
from daemon.tools.servers.oauth.store import Login, LoginStore
from daemon.tools.servers.upstream.transport import Authorisation
from daemon.tools.servers.values import ServerConfig
from daemon.vault.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginBasis:
    """What logins are made of."""

    vault: Vault
    audit: AuditLog
    http: HttpPool
    clock: Clock
    entropy: Entropy
    tasks: TaskSet
    own: OwnClient


class Logins:
    """Made before the servers are held, because they are let in by it; `begin` comes after."""

    def __init__(self, basis: LoginBasis) -> None:
        self._basis = basis
        self._store = LoginStore(basis.vault)
        self._challenges = Challenges()
        self._grants = Grants(
            store=self._store, http=basis.http, audit=basis.audit, clock=basis.clock, tasks=basis.tasks
        )
        self.on_secrets: OnSecrets = _nobody_hears

    def authorisation_of(self, server: ServerConfig) -> Authorisation | None:
        """Return what lets requests in at a remote server; None for a server that is not remote."""
        header = own_header(server)
        if header is not None:
            return OwnHeader(server, header)
        place = login_place(server)
        if place is None:
            return None
        return ServerAuthorisation(
            server.name,
            place,
            grants=self._grants,
            challenges=self._challenges,
            on_secrets=self.on_secrets,
            keys=keys_of(server),
        )

    def login_of(self, server: ServerConfig) -> Login | None:
        """Return the login at a server without its tokens, also while the vault is locked; None if there is none."""
        place = login_place(server)
        return None if place is None else self._store.login(place)

    def begin(self, lives: Pool, secret_of: SecretOf) -> LoginService:
        """Return the person's side."""
        basis = self._basis
        return LoginService(
            LoginParts(
                store=self._store,
                clients=Clients(store=self._store, own=basis.own, clock=basis.clock),
                challenges=self._challenges,
                http=basis.http,
                secret_of=secret_of,
                stop_server=lives.stop,
                audit=basis.audit,
                clock=basis.clock,
                entropy=basis.entropy,
                tasks=basis.tasks,
            )
        )


def _nobody_hears(server: str, secrets: frozenset[str]) -> None:
    pass

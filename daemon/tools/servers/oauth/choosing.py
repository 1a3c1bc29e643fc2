"""Chooses who we are at an authorization server, in the order of the specification."""

from dataclasses import dataclass

from daemon.base.clock import Clock
from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.clients import Client, register
from daemon.tools.servers.oauth.documents import AuthorisationServer
from daemon.tools.servers.oauth.problems import LoginError
from daemon.tools.servers.oauth.store import LoginStore
from daemon.tools.servers.values import ServerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnClient:
    """What the person set up for all logins."""

    metadata_url: str | None = None
    """Where their client id metadata document is published."""
    redirect_port: int = 0
    """The port that the browser comes back to; 0 takes a free one."""


class Clients:
    """Finds the client for a login.

    One that the person gave for this server goes before all others: they registered it for a reason. Then comes the
    metadata document, if the person published one and the server reads them, and then a registration, which is kept.
    """

    def __init__(self, *, store: LoginStore, own: OwnClient, clock: Clock) -> None:
        self._store = store
        self._own = own
        self._clock = clock

    @property
    def own_port(self) -> int | None:
        """Return the port that the person set; None if any will do."""
        return self._own.redirect_port or None

    def port(self, issuer: str) -> int:
        """Return the port for the browser: the one a kept client was registered with, for servers that compare it."""
        known = self._store.client(issuer, self._clock.now_ms())
        if self._own.redirect_port or known is None or known.registered_for is None:
            return self._own.redirect_port
        return int(known.registered_for.rsplit(":", 1)[1].partition("/")[0])

    async def choose(
        self, asker: Asker, server: AuthorisationServer, config: ServerConfig, secret: str | None, redirect_url: str
    ) -> Client:
        """Return the client; raises LoginError with what the person can do if there is none."""
        if config.client_id is not None:
            return Client(id=config.client_id, secret=secret, secret_in_body=server.secret_in_body)
        if server.takes_metadata_url and self._own.metadata_url is not None:
            return Client(id=self._own.metadata_url)
        if server.registration_url is None:
            raise LoginError(
                f"{server.issuer} registers no clients by itself. Register one there by hand, of the kind for native "
                f"or desktop programs, with the redirect URL {redirect_url}, and write its id into servers.yaml as "
                f"`client_id` of {config.name}; a secret, if it has one: aileron secret add {config.name}/client_secret"
            )
        known = self._store.client(server.issuer, self._clock.now_ms())
        if known is not None and known.registered_for == redirect_url:
            return known
        client = await register(asker, server, redirect_url)
        await self._store.keep_client(server.issuer, client)
        return client

"""What logins are made of, and where a login belongs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Entropy
from daemon.base.tasks import TaskSet
from daemon.core.principal import Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.net.http1.pool import Pool
from daemon.tools.servers.oauth.authorisation import Challenges
from daemon.tools.servers.oauth.choosing import Clients
from daemon.tools.servers.oauth.own_header import own_header
from daemon.tools.servers.oauth.places import resource_of
from daemon.tools.servers.oauth.refusals import not_remote
from daemon.tools.servers.oauth.store import LoginStore
from daemon.tools.servers.values import Mode, ServerConfig

SecretOf = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginParts:
    """What logins use."""

    store: LoginStore
    clients: Clients
    challenges: Challenges
    http: Pool
    secret_of: SecretOf
    """A plain secret of the vault by its name."""
    stop_server: Callable[[str], Awaitable[None]]
    audit: AuditLog
    clock: Clock
    entropy: Entropy
    tasks: TaskSet


def at_of(server: ServerConfig) -> str:
    """Return the server that a login is for; raises the Failure of one that takes none."""
    place = login_place(server)
    if place is None:
        raise not_remote(server)
    return place


def login_place(server: ServerConfig) -> str | None:
    """Return the server that a login is for; None for one that takes none."""
    return place_of(server) if own_header(server) is None else None


def place_of(server: ServerConfig) -> str | None:
    """Return where a server is, by which its login is found; None for a local one."""
    if server.mode is not Mode.REMOTE or server.url is None:
        return None
    return resource_of(server.url.partition("?")[0])


def event_of(
    kind: EventType, server: ServerConfig, issuer: str, scopes: tuple[str, ...], by: Principal, session: str
) -> AuditEvent:
    """Return an event about the login at a server."""
    payload = {
        Attr.SERVER_NAME: server.name,
        Attr.SERVER_IDENTITY: server.identity,
        Attr.SERVER_ISSUER: issuer,
        Attr.SERVER_SCOPES: list(scopes),
    }
    return AuditEvent(type=kind, session=session, actor=by, payload=payload)

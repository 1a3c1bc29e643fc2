"""Takes a server out with what belongs to nobody else: its entry in the file, its processes, its login."""

from dataclasses import dataclass

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.tools.servers.oauth.parts import login_place, place_of
from daemon.tools.servers.oauth.service import LoggedOut, LoginService
from daemon.tools.servers.service import ServerService
from daemon.tools.servers.values import ServerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What went with a server."""

    logged_out: LoggedOut | None
    """None if nobody was logged in there, or another server uses the same login."""
    shared_with: str | None
    """Another server with the same address, for which the login stays."""


async def remove_server(
    servers: ServerService, logins: LoginService, name: str, *, by: Principal, session: str
) -> Removed:
    """Log out of a server, then take it out of the file, end it and forget its tools; raises Failure.

    The login goes first: when this is broken off in between, the server is still there to be removed again. The other
    order would leave tokens in the vault that no command finds.
    """
    server = servers.require(name)
    await servers.check_removal(name)
    shared_with = login_shared_with(servers, logins, server)
    logged_out = None
    if shared_with is None:
        try:
            logged_out = await logins.taken_out(server, by=by, session=session)
        except Failure as failure:
            if failure.failure_class is not FailureClass.VAULT_LOCKED:
                raise
            raise _needs_open_vault(name) from failure
    else:
        await logins.cancel(name)
    await servers.remove(name, by=by, session=session)
    return Removed(logged_out=logged_out, shared_with=shared_with)


def login_shared_with(servers: ServerService, logins: LoginService, server: ServerConfig) -> str | None:
    """Return another server that uses the same login, by its address; None if there is none, or no login."""
    if not logins.has_login(server):
        return None
    others = (each.config for each in servers.all() if each.config.name != server.name)
    return next((each.name for each in others if login_place(each) == place_of(server)), None)


def _needs_open_vault(server: str) -> Failure:
    command = "aileron vault unlock"
    return Failure(
        FailureClass.VAULT_LOCKED,
        f"The login at {server} is in the vault, which is locked, so nothing was removed. Run `{command}` first. To "
        f"have agents stop using the server at once, run `aileron server disable {server}`.",
        boundary=Boundary.USER,
        details={"server": server, "command": command},
    )

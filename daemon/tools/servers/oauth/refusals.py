"""What a person is told when there is no login. Pure."""

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.visible import visible
from daemon.tools.servers.oauth.problems import LoginError
from daemon.tools.servers.values import Mode, ServerConfig

_LONGEST = 700


def not_remote(server: ServerConfig) -> Failure:
    """Return the failure of a login at a server that takes none."""
    why = (
        "runs on this machine, and has no login of this kind"
        if server.mode is not Mode.REMOTE
        else "is let in by the header Authorization of servers.yaml. Take the header out there to log in instead"
    )
    return Failure(FailureClass.INVALID_ARGUMENTS, f"The server {server.name} {why}.", boundary=Boundary.USER)


def no_login_here(server: str) -> Failure:
    """Return the failure of somebody who asks for a login that is not under way."""
    return Failure(
        FailureClass.NOT_FOUND,
        f"No login at {server} is under way. Begin one: aileron server login {server}",
        boundary=Boundary.USER,
        details={"server": server, "command": f"aileron server login {server}"},
    )


def not_logged_in(server: str) -> Failure:
    """Return the failure of a logout without a login."""
    return Failure(FailureClass.NOT_FOUND, f"Nobody is logged in at {server}.", boundary=Boundary.USER)


def not_begun(server: str, problem: LoginError) -> Failure:
    """Return the failure of a login that could not be begun."""
    command = f"aileron server login {server}"
    return Failure(
        FailureClass.BINDING_FAILED,
        f"No login at {server} could be begun. {visible(problem.message)[:_LONGEST]} Try again with `{command}`.",
        boundary=Boundary.EXTERNAL,
        details={"server": server, "command": command},
    )

"""A remote server that is let in by the header Authorization of its configuration, and what is said when it is not."""

from collections.abc import Mapping

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.tools.servers.references import used
from daemon.tools.servers.upstream.seam import Trouble, UpstreamError
from daemon.tools.servers.values import ServerConfig

_NAME = "authorization"


def own_header(server: ServerConfig) -> str | None:
    """Return the header of the configuration that lets a server in, as it is written there; None if there is none."""
    return next((value for name, value in server.headers.items() if name.lower() == _NAME), None)


class OwnHeader:
    """The authorisation of such a server: it adds nothing, and knows what helps when the header is not accepted."""

    def __init__(self, server: ServerConfig, header: str) -> None:
        self._server = server
        self._header = header

    async def headers(self) -> Mapping[str, str]:
        """Return nothing: the configuration has the header."""
        return {}

    async def refused(self, challenge: str) -> bool:  # noqa: ARG002 - the server may name a login; the header goes first
        """Say that the header was not accepted."""
        failure = not_accepted(self._server.name, self._header)
        raise UpstreamError(Trouble.UNAUTHORISED, failure.message, failure=failure)


def not_accepted(server: str, header: str) -> Failure:
    """Return the failure of a request whose header the server does not accept, as one with an old token is."""
    details = {"server": server}
    secrets = used(header)
    if secrets:
        command = f"aileron secret add {secrets[0]}"
        remedy = f"A person can store another value: `{command}`."
        details["command"] = command
        if header.strip().startswith("vault://"):
            remedy += " It is sent as it is stored: most servers want `Bearer` and a space in front of the token."
    else:
        remedy = "A person can change it there."
    return Failure(
        FailureClass.BINDING_REQUIRED,
        f"The server {server} does not accept the header Authorization of servers.yaml. Nothing was run. {remedy}",
        boundary=Boundary.USER,
        details=details,
    )

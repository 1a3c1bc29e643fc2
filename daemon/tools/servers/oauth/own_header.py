"""A remote server that is let in by what its configuration sends, and what is said when it is not.

The header Authorization takes the place of a login. Another header, or the URL, may hold a key and need a login beside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.tools.servers.references import used
from daemon.tools.servers.upstream.seam import Trouble, UpstreamError
from daemon.tools.servers.values import ServerConfig

_NAME = "authorization"


def own_header(server: ServerConfig) -> str | None:
    """Return the header of the configuration that lets a server in, as it is written there; None if there is none."""
    return next((value for name, value in server.headers.items() if name.lower() == _NAME), None)


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that a request has outside of the header Authorization."""

    place: str
    secret: str


def keys_of(server: ServerConfig) -> tuple[Key, ...]:
    """Return the secrets that every request to a server has in another header, or in its URL."""
    texts = [(f"the header {name}", value) for name, value in server.headers.items() if name.lower() != _NAME]
    texts.append(("the URL", server.url or ""))
    return tuple(Key(place, secret) for place, text in texts for secret in used(text))


def keys_not_accepted(server: str, keys: Sequence[Key], *, offers_login: bool) -> Failure:
    """Return the failure of a request whose keys the server does not accept, and with which no login was sent."""
    places = " and ".join(dict.fromkeys(key.place for key in keys))
    commands = [f"aileron secret add {name}" for name in dict.fromkeys(key.secret for key in keys)]
    login = f" If it wants a login, too: `aileron server login {server}`." if offers_login else ""
    return Failure(
        FailureClass.BINDING_REQUIRED,
        f"The server {server} does not accept what it is sent in {places} of servers.yaml. Nothing was run. A person "
        f"can store another value: {' or '.join(f'`{command}`' for command in commands)}.{login}",
        boundary=Boundary.USER,
        details={"server": server, "command": commands[0]},
    )


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

"""What servers say unasked, from every connection to whoever wants to know it."""

from collections.abc import Callable

from daemon.tools.servers.upstream.seam import Message
from daemon.tools.servers.values import ServerConfig

Listener = Callable[[ServerConfig, str, str, Message], None]
"""Is told the server, the session that its connection is for, the method and its parameters. Must not block."""


class Told:
    """Those who listen to what servers say unasked. It is there before connections are, and before who listens."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell somebody everything from now on."""
        self._listeners.append(listener)

    def of(self, server: ServerConfig, session: str) -> "Hearing":
        """Return what one connection is made with."""
        return Hearing(self, server, session)

    def tell(self, server: ServerConfig, session: str, method: str, params: Message) -> None:
        """Tell everybody one notification."""
        for listener in self._listeners:
            listener(server, session, method, params)


class Hearing:
    """Hears what comes over one connection."""

    def __init__(self, told: Told, server: ServerConfig, session: str) -> None:
        self._told = told
        self._server = server
        self._session = session

    def notice(self, method: str, params: Message) -> None:
        """Take one notification."""
        self._told.tell(self._server, self._session, method, params)

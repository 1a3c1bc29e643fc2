"""Hears what a server says unasked, on one connection: that its tools have changed, and what others want to know."""

from collections.abc import Callable

from daemon.tools.servers.looking import Looks
from daemon.tools.servers.upstream.seam import Message
from daemon.tools.servers.values import ServerConfig

_TOOLS_CHANGED = "notifications/tools/list_changed"

Listener = Callable[[ServerConfig, str, str, Message], None]
"""Is told the server, the session that its connection is for, the method and its parameters. Must not block."""


class Hearing:
    """The notices of one connection. A changed list of tools is looked at before the next call."""

    def __init__(self, *, server: ServerConfig, session: str, looks: Looks, pass_on: Listener | None = None) -> None:
        self._server = server
        self._session = session
        self._looks = looks
        self._pass_on = pass_on

    def notice(self, method: str, params: Message) -> None:
        """Take one notification."""
        if method == _TOOLS_CHANGED:
            self._looks.list_changed(self._server, self._session)
        if self._pass_on is not None:
            self._pass_on(self._server, self._session, method, params)

"""Which folders a server is told that it is to work in: the workspace of the session, as it is on this machine."""

from collections.abc import Callable
from pathlib import Path

from daemon.tools.servers.upstream.seam import Message
from daemon.tools.servers.values import Mode, ServerConfig

METHOD = "roots/list"
WorkspaceOf = Callable[[str], Path | None]
"""Returns the folder that a session works in, by the session's id; None if it has none that is known."""


class Workspaces:
    """Where sessions work. The rooms that know it are above this one, and say it when they are built."""

    def __init__(self) -> None:
        self._sources: list[WorkspaceOf] = []

    def know(self, source: WorkspaceOf) -> None:
        """Ask this source, too, from now on."""
        self._sources.append(source)

    def of(self, session: str) -> Path | None:
        """Return the folder that a session works in; None if it has none, or for no session."""
        found = (source(session) for source in self._sources if session)
        return next((folder for folder in found if folder is not None), None)


def are_told(server: ServerConfig) -> bool:
    """Say whether a server may know where the person works: one elsewhere has no use for a path of this machine."""
    return server.mode is Mode.LOCAL


def roots_of(workspace: Path | None) -> Message:
    """Return the answer to a server that asks; without a workspace it is an empty list."""
    if workspace is None:
        return {"roots": []}
    return {"roots": [{"uri": workspace.as_uri(), "name": workspace.name or "/"}]}

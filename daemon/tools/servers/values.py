"""A server as its configuration says it: pure values."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from daemon.core.canonical import canonical_json

KIND = "server"


class Mode(StrEnum):
    """Where a server runs."""

    LOCAL = "local"
    """As a process of the person's on this machine, over its standard input and output."""
    REMOTE = "remote"
    """Somewhere else, over Streamable HTTP."""


class Scope(StrEnum):
    """Who shares one process or one upstream session of a server."""

    SHARED = "shared"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One entry of `servers.yaml`, with defaults filled in. Texts may hold references to the vault."""

    name: str
    mode: Mode = Mode.LOCAL
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    """Where a local server works; the person's home if it is not said."""
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tool_prefix: str | None = None
    """What stands before `__` in the names for agents; the server's name if it is not said."""
    scope: Scope = Scope.SHARED
    enabled: bool = True
    unsafe_args: bool = False
    """Whether references to the vault may stand in arguments, which every user of the machine can read."""
    start_seconds: float = 30.0
    call_seconds: float = 300.0
    idle_seconds: float = 300.0
    client_id: str | None = None
    """The OAuth client that the person registered, for servers that offer no other way."""

    @property
    def prefix(self) -> str:
        """Return what stands before `__` in the names for agents."""
        return self.tool_prefix or self.name

    @property
    def identity(self) -> str:
        """Return the hash of what the server is. An approval is bound to it; values of secrets are not in it."""
        said = {
            "name": self.name,
            "mode": self.mode.value,
            "command": list(self.command),
            "env": dict(self.env),
            "folder": self.folder,
            "url": self.url,
            "headers": dict(self.headers),
        }
        return f"sha256:{hashlib.sha256(canonical_json(said).encode()).hexdigest()}"

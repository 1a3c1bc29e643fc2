"""A server's configuration with the person's secrets in it."""

from dataclasses import dataclass, field

from daemon.tools.servers.values import ServerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PutIn:
    """What a server is started with. It is held while the server starts, and shown nowhere."""

    config: ServerConfig = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What must be taken out of everything that comes back."""

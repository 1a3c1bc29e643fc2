"""What a launcher is given, and what it answers: values, so that a plan can be read before it is carried out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Placement(StrEnum):
    """Where the agent will run."""

    HOST = "host"
    SANDBOX = "sandbox"


class LaunchError(Exception):
    """An agent that cannot be started as asked: what is wrong and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchContext:
    """Everything a launcher may know."""

    placement: Placement
    executable: tuple[str, ...]
    """What starts the agent; the plan's argv begins with it."""
    version: str
    """What the agent says its version is."""
    arguments: tuple[str, ...]
    """What the person wrote after `--`."""
    mcp_command: tuple[str, ...]
    """What starts aileron-mcp where the agent runs."""
    agent_url: str
    """Where the agent API is, as seen from the agent; no slash at the end."""
    token: str = field(repr=False)
    session_id: str
    ca_file: str | None = None
    """The bundle of authorities that the agent and aileron-mcp are to trust, if not the system's alone."""
    scratch: str
    """A folder of this session alone, as seen from the agent, where the plan may place files."""
    home: str
    """The agent's home folder, as seen from the agent."""
    workspace: str
    """The folder the agent works in."""
    bound_providers: frozenset[str] = frozenset()
    """Model providers for which the vault holds a key, so that the session token stands in for it."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment the agent would have without us."""
    existing: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The text of those of the person's own files that the launcher asked to see, by path."""
    interactive: bool = False
    """Whether a person sits at the agent's terminal."""

    def model_url(self, provider: str | None = None) -> str:
        """Return where model requests go; named providers beyond the paths' own have a part of their own."""
        base = f"{self.agent_url}/llm/{self.token}"
        return base if provider is None else f"{base}/{provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile:
    """A file, or a link to one, that must be there before the agent starts."""

    path: str
    text: str = field(default="", repr=False)
    mode: int = 0o600
    link_to: str | None = None
    """If set, the path becomes a symbolic link to this, and text and mode mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """How one agent is started once."""

    argv: tuple[str, ...] = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables to set beside those that are there."""
    unset: frozenset[str] = frozenset()
    """Variables to take away."""
    files: tuple[PlacedFile, ...] = ()
    notes: tuple[str, ...] = ()
    """What the person should know before the agent starts."""

"""What a launcher is given, and what it answers: values, so that a plan can be read before it is carried out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

TOOL_SECONDS = 3600
"""How long an agent lets one of our tool calls take: the daemon ends a run, and no agent has to guess when."""

START_SECONDS = 60

TOKEN_HEADER = "X-Aileron-Token"  # noqa: S105 - the name of a header
"""Where the session's token goes in a model request that carries a key of the person's own."""

NAME = "aileron"
"""What our server is called in an agent."""


def free_name(taken: Collection[str]) -> str:
    """Return a name for our server that the person has not given to one of theirs."""
    names = (NAME, f"{NAME}_launch", *(f"{NAME}_launch_{number}" for number in range(2, 100)))
    return next(name for name in names if name not in taken)


class LaunchError(Exception):
    """An agent that cannot be started as asked: what is wrong and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchContext:
    """Everything a launcher may know."""

    executable: tuple[str, ...]
    """What starts the agent; the plan's argv begins with it."""
    version: tuple[int, ...]
    """What the agent says its version is."""
    arguments: tuple[str, ...]
    """What the person wrote after `--`."""
    mcp_command: tuple[str, ...]
    """What starts aileron-mcp where the agent runs."""
    agent_url: str
    """Where the agent API is, as seen from the agent; no slash at the end."""
    token: str = field(repr=False)
    session_id: str
    scratch: str
    """A folder of this session alone, as seen from the agent, where the plan may place files."""
    home: str
    """The agent's home folder, as seen from the agent."""
    sandboxed: bool = False
    """Whether a container is the boundary: then the agent's own sandbox and prompts are off, and its home is empty."""
    workspace: str = ""
    """The folder the agent works in, as seen from the agent; known for a sandbox."""
    ca_file: str = ""
    """Whom to trust for the agent API, where it speaks HTTPS."""
    bound: frozenset[str] = frozenset()
    """Model providers for which the vault holds a key, so that the session token can stand in for it."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment the agent would have without us."""
    existing: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The text of those of the person's own files that the launcher asked to see, by the path it named."""
    present: frozenset[str] = frozenset()
    """Which of the entries that the launcher asked about are there."""

    @property
    def models_url(self) -> str:
        """Return where model requests go.

        The session's name stands in it and not its token: agents print the address when a request fails, and some are
        given it by argv. So the token must come with each request, as the key or in TOKEN_HEADER.
        """
        return f"{self.agent_url}/llm/{self.session_id}"

    @property
    def session_variables(self) -> dict[str, str]:
        """Return what aileron-mcp needs to know."""
        variables = {"AILERON_URL": self.agent_url, "AILERON_TOKEN": self.token, "AILERON_SESSION_ID": self.session_id}
        return variables | ({"AILERON_CA_FILE": self.ca_file} if self.ca_file else {})

    def asks_for(self, *flags: str) -> bool:
        """Say whether the person's own arguments hold one of these flags."""
        return any(part == flag or part.startswith(f"{flag}=") for part in self.arguments for flag in flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile:
    """A file, or a link to one, that must be there before the agent starts."""

    path: str
    text: str = field(default="", repr=False)
    link_to: str | None = None
    """If set, the path becomes a symbolic link to this, and the text means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """How one agent is started once."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables to set beside those that are there."""
    files: tuple[PlacedFile, ...] = ()
    notes: tuple[str, ...] = ()
    """What the person should know before the agent starts."""

"""Who asks, and who decides."""

from dataclasses import dataclass
from enum import StrEnum


class PrincipalKind(StrEnum):
    """What somebody is."""

    PERSON = "person"
    AGENT = "agent"
    DAEMON = "daemon"


class Means(StrEnum):
    """How somebody proved who they are."""

    CLI = "cli"
    """With the master token, which only the person's own account can read."""
    PAGE = "page"
    """In a browser that was signed in with a one-time code."""
    SESSION = "session_token"
    """With the token of an agent's session."""
    PROCESS = "process"
    """Not at all: it is the daemon itself."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks for something or decides about it."""

    kind: PrincipalKind
    id: str
    """Unique among its kind: a session's id for an agent."""
    name: str
    """For people to read."""
    means: Means

    def __str__(self) -> str:
        """Return it as records name it: `person:owner`, `agent:ses_...`, or `daemon`."""
        return self.kind.value if self.kind is PrincipalKind.DAEMON else f"{self.kind.value}:{self.id}"

    @classmethod
    def person(cls, means: Means) -> "Principal":
        """Return the one person whose home this is; there is one for each home."""
        return cls(PrincipalKind.PERSON, "owner", "you", means)

    @classmethod
    def agent(cls, session: str, name: str) -> "Principal":
        """Return the agent of a session."""
        return cls(PrincipalKind.AGENT, session, name, Means.SESSION)


DAEMON = Principal(PrincipalKind.DAEMON, "daemon", "the daemon", Means.PROCESS)
"""What the daemon does on its own account, such as to end what has expired."""

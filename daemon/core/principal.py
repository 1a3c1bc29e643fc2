"""Who asks, and who decides."""

from enum import StrEnum
from typing import NamedTuple

from daemon.core.vocabulary import Attr

MEANS_KEY = Attr.PRINCIPAL_MEANS
"""Where an event says how its actor was authenticated; events of versions before principals do not have it."""


class PrincipalKind(StrEnum):
    """What somebody is."""

    PERSON = "person"
    AGENT = "agent"
    DAEMON = "daemon"
    UNKNOWN = "unknown"
    """Somebody who proved nothing. Only a refusal can name them."""


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
    NONE = "none"
    """Not at all, or an older version did not write it down."""


class Principal(NamedTuple):
    """Somebody who asks for something or decides about it."""

    kind: PrincipalKind
    id: str
    """Unique among its kind: a session's id for an agent."""
    name: str
    """For people to read."""
    means: Means

    def __str__(self) -> str:
        """Return it as records name it: `person:owner`, `agent:ses_...`, `daemon`, or `unknown`."""
        kind = self.kind
        named = kind is PrincipalKind.AGENT or kind is PrincipalKind.PERSON
        return f"{kind}:{self.id}" if named else f"{kind}"

    def in_words(self) -> str:
        """Return it as people read it: `you, in a browser`."""
        return in_words(str(self), self.means.value)

    @classmethod
    def person(cls, means: Means) -> "Principal":
        """Return the one person whose home this is; there is one for each home."""
        return cls(PrincipalKind.PERSON, _OWNER, "you", means)

    @classmethod
    def agent(cls, session: str, name: str = "the agent") -> "Principal":
        """Return the agent of a session."""
        return cls(PrincipalKind.AGENT, session, name, Means.SESSION)

    @classmethod
    def recorded(cls, text: str, *, means: str | None, session: str) -> "Principal":
        """Return who a stored record of a session names.

        Records of versions before principals say `user` or `agent`, and no means. A text that is none of ours names
        nobody who is known: such a record stays readable.
        """
        if text == str(DAEMON):
            return DAEMON
        kind, _, name = text.partition(":")
        if kind == PrincipalKind.AGENT:  # also of a version that wrote no more than `agent`
            return cls.agent(name or session)
        if text in (f"{PrincipalKind.PERSON}:{_OWNER}", _PERSON_BEFORE):
            return cls.person(next((known for known in Means if known == means), Means.NONE))
        return STRANGER


_OWNER = "owner"
_PERSON_BEFORE = "user"
"""How the versions before principals called the person in their records; nothing writes it any more."""

DAEMON = Principal(PrincipalKind.DAEMON, "daemon", "the daemon", Means.PROCESS)
"""What the daemon does on its own account, such as to end what has expired."""

STRANGER = Principal(PrincipalKind.UNKNOWN, "unknown", "somebody unknown", Means.NONE)
"""Whoever sent a request that was refused because it proved nothing."""

_SURFACES = {Means.CLI: ", in a terminal", Means.PAGE: ", in a browser"}


def in_words(text: str, means: str | None = None) -> str:
    """Return who a record names as people read it, such as `you, in a browser`; also of records of older versions."""
    kind = text.partition(":")[0]
    if kind in (PrincipalKind.PERSON, _PERSON_BEFORE):
        return "you" + next((words for known, words in _SURFACES.items() if known == means), "")
    if kind == PrincipalKind.AGENT:
        return "the agent"
    if kind == PrincipalKind.DAEMON:
        return DAEMON.name
    return STRANGER.name if kind == PrincipalKind.UNKNOWN else text

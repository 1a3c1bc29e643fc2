"""What is said of a layer and of a change in it: plain values that every module of this room shares.

Paths are relative to the folder the layer is over, with `/` between names, as `os.fsdecode` returns them: a name
that is not UTF-8 keeps its bytes. They are made safe to look at (`daemon.core.visible`) only where they are shown.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Way(StrEnum):
    """How a sandbox has its workspace."""

    OVERLAY = "overlay"
    COPY = "copy"
    LIVE = "live"


class Kind(StrEnum):
    """What lies at a path."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    OTHER = "other"
    """A device, a fifo, a socket: never lands."""


class Act(StrEnum):
    """What the agent did to a path."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What lies at a path, as far as landing cares."""

    kind: Kind
    size: int = 0
    executable: bool = False
    digest: str = ""
    """SHA-256, in hex, of a file's content or of the bytes of a link's target; empty for the others."""
    target: str = ""
    """Where a link leads, as it is written in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that differs between the agent's side and the person's."""

    path: str
    act: Act
    agent: Entry | None
    """None where the agent deleted it."""
    person: Entry | None
    """As it is in the person's folder now; None where nothing is."""
    conflict: str = ""
    """Why it does not land by itself: the person changed it, too. Empty if they did not."""
    later: tuple[str, ...] = ()
    """Why it would run on the host later, in words, such as "git runs it at every commit"."""
    refused: str = ""
    """Why it never lands, such as "it is a device". Empty if it may."""

    @property
    def by_name_only(self) -> bool:
        """Whether it lands only when a person named it and said yes to it by itself."""
        return bool(self.later)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything that a look at a layer found."""

    items: tuple[Change, ...] = ()
    not_seen: tuple[str, ...] = ()
    """Folders that could not be read, and why the look ended early, in words; empty if everything was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit that the agent made, as it is shown. Everything in it is the agent's word."""

    id: str
    subject: str
    author: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch or tag of the agent's that the person's repository does not have at that commit."""

    ref: str
    """As the agent calls it, such as `refs/heads/main`."""
    old: str | None
    """Where it was when the session began; None for a new one."""
    new: str
    forward: bool
    """Whether the new commit has the old one among its ancestors."""
    commits: tuple[Commit, ...] = ()
    """The newest first, bounded; `more` counts the rest."""
    more: int = 0
    later: tuple[tuple[str, str], ...] = field(default=())
    """Paths that its commits change and that would run later, each with why."""

"""One layer: what is recorded of it, and where its folders are."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from daemon.workspaces.values import Way


class State(StrEnum):
    """How far a layer is.

    OPEN -> ENDED when its sandbox ends; ENDED -> OPEN when it is resumed; OPEN or ENDED -> DISCARDED when the person
    throws it away. What landed is recorded beside this: more can land later.
    """

    OPEN = "open"
    ENDED = "ended"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One folder of the person's with a layer of its own: the workspace, and for a worktree git's common folder."""

    name: str
    """`work` or `git`: the name of its folder in the layer."""
    source: str
    """The person's folder, as an absolute path without links."""
    device: int
    inode: int
    """With the device, what tells this folder from another one that is put at the same path later."""
    inside: str
    """Where it is mounted in the container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is remembered of the moment a session began."""

    wall_ns: int
    """The time of the file system of the layer, from a file made at the start."""
    boot_ns: int
    boot_id: str
    """With both, a clock that somebody set meanwhile is noticed."""
    branch: str = ""
    """The branch checked out in the person's repository, such as `refs/heads/main`; empty if there was none."""
    commit: str = ""
    """Its commit; empty where there was none."""
    has_index: bool = False
    """A copy of git's index is in the layer, as `index`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer, as its record says."""

    session: str
    agent: str
    label: str
    way: Way
    state: State
    parts: tuple[Part, ...]
    subfolder: str = ""
    """Where the agent works below the workspace, because the person launched in a folder of a repository."""
    user: str = ""
    """uid:gid of the agent."""
    start: Start
    looked_at: bool = False
    """The person has seen what changed, or said that it may be thrown away unseen."""
    landed: dict[str, str] = field(default_factory=dict)
    """What landed: the path, and the digest of what lies there since; `-` where landing deleted."""
    last_landing: str = ""
    """What became of the last landing, in one line; empty if there was none."""
    last_landing_ms: int | None = None
    last_landing_cut: bool = False
    """It was cut off, and whoever decided did not get an answer."""
    ended_ms: int | None = None
    earlier: tuple[str, ...] = ()
    """The ids of earlier sessions, the oldest first, if it was resumed. Each of them still names this layer."""
    folder: Path = Path()
    """Where it lies on this machine; not recorded."""

    @property
    def work(self) -> Part:
        """Return the part that is the workspace."""
        return self.parts[0]

    def upper(self, part: Part) -> Path:
        """Return the folder with the agent's side of a part: only the changes of an overlay, all of a copy."""
        return self.folder / part.name / ("copy" if self.way is Way.COPY else "upper")

    def scratch(self, part: Part) -> Path:
        """Return the folder that the kernel works in."""
        return self.folder / part.name / "work"

    def manifest(self, part: Part) -> Path:
        """Return what is remembered of the person's folder where the layer is a copy."""
        return self.folder / part.name / "manifest"

    def borrowed(self, number: int) -> Path:
        """Return the copy of objects that the repository borrows of another one, where the layer is a copy."""
        return self.folder / f"borrowed-{number}"

    @property
    def index(self) -> Path:
        """Return the copy of git's index from the start."""
        return self.folder / "index"

    @property
    def kept(self) -> Path:
        """Return where the agent's side of conflicts is kept for people to look at."""
        return self.folder / "kept"

    @property
    def journal(self) -> Path:
        """Return where a landing under way is written down."""
        return self.folder / "landing"

    @property
    def commits_underway(self) -> Path:
        """Return where the commits of a landing under way are written down."""
        return self.folder / "commits-underway"

    def changed(self, **what: Any) -> "Layer":
        """Return the layer with something else recorded of it."""
        return replace(self, **what)

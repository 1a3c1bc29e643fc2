"""A layer whose changes land: what lies in the person's folder before and after, and faults that act at a point."""

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workspaces.layered import Layered, opened

from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.workspaces.landed import Landed, Recovered
from daemon.workspaces.landing.landing import land, recover
from daemon.workspaces.values import Act, Change, Entry, Kind

Tree = dict[str, tuple[Any, ...]]


class LandingRoom(Layered):
    """A layer, and what is done with it."""

    def __init__(self, home: Path, **more: Any) -> None:
        super().__init__(home, **more)
        self.shown: tuple[Change, ...] = ()

    def show(self) -> tuple[Change, ...]:
        """Look, as the person does before they decide; what is shown then is what may land."""
        self.shown = self.look().items
        return self.shown

    def land(self, *, changes: Sequence[Change] | None = None, faults: FaultPoints = NO_FAULTS, **more: Any) -> Landed:
        """Land what was shown, or the given changes."""
        if changes is None:
            changes = self.shown or self.show()
        with opened(self.person) as person:
            return land(self.layer, changes, person, faults=faults, **more)

    def recover(self, *, faults: FaultPoints = NO_FAULTS) -> Recovered:
        """Do what the daemon does when it starts."""
        with opened(self.person) as person:
            return recover(self.layer, person, faults=faults)

    def tree(self) -> Tree:
        """Return everything in the person's folder."""
        return tree_of(self.person)

    def leftovers(self) -> list[str]:
        """Return what of a landing still lies about: in the folder, or as a journal."""
        return [path for path in self.tree() if ".aileron" in path] + (
            ["journal"] if self.layer.journal.exists() else []
        )


class At:
    """Does something when a fault point is reached for the n-th time."""

    def __init__(self, point: str, act: Callable[[], object], *, count: int = 1) -> None:
        self.point = point
        self.act = act
        self.left = count
        self.done = False

    def hit(self, name: str) -> None:
        """Act, if it is the moment."""
        if name != self.point:
            return
        self.left -= 1
        if self.left == 0:
            self.done = True
            self.act()


def tree_of(folder: Path) -> Tree:
    """Return every path below a folder, with what lies there."""
    found: Tree = {}
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(here) / name
            status = path.lstat()
            relative = str(path.relative_to(folder))
            if stat.S_ISLNK(status.st_mode):
                found[relative] = ("link", str(path.readlink()))
            elif stat.S_ISDIR(status.st_mode):
                found[relative] = ("folder", stat.S_IMODE(status.st_mode))
            elif stat.S_ISREG(status.st_mode):
                found[relative] = ("file", stat.S_IMODE(status.st_mode), path.read_bytes())
            else:
                found[relative] = ("other", status.st_mode)
    return found


def file_entry(content: bytes, *, executable: bool = False) -> Entry:
    """Return the entry of a file with this content."""
    return Entry(kind=Kind.FILE, size=len(content), executable=executable, digest=hashlib.sha256(content).hexdigest())


def added(path: str, content: bytes = b"new") -> Change:
    """Return a change that adds a file, as if it had been shown."""
    return Change(path=path, act=Act.ADDED, agent=file_entry(content), person=None)


def link(path: str, target: str) -> Change:
    """Return a change that adds a link."""
    digest = hashlib.sha256(target.encode(errors="ignore")).hexdigest()
    entry = Entry(kind=Kind.LINK, size=len(target), digest=digest, target=target)
    return Change(path=path, act=Act.ADDED, agent=entry, person=None)

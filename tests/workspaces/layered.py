"""A layer made by hand: a person's folder, and the upper folder as the kernel would leave it. Devices need root."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.workspaces.layers.layer import Layer, Part, Start, State
from daemon.workspaces.looking import clocks
from daemon.workspaces.looking.base import Now
from daemon.workspaces.looking.changes import look
from daemon.workspaces.looking.runs_later import Pointed
from daemon.workspaces.reading import Bounds
from daemon.workspaces.values import Change, Changes, Way

SECOND = 1_000_000_000


class Layered:
    """The person's folder at `person`, and the agent's side at `upper`."""

    def __init__(self, home: Path, *, way: Way = Way.OVERLAY) -> None:
        self.person = home / "person"
        self.folder = home / "layer"
        self.person.mkdir(parents=True)
        self.way = way
        self.upper = self.folder / "work" / ("copy" if way is Way.COPY else "upper")
        self.upper.mkdir(parents=True)
        self.start = Start(wall_ns=0, boot_ns=0, boot_id="")
        self.landed: dict[str, str] = {}
        self.begin()

    def begin(self, *, has_index: bool = False, after: float = 1.0) -> None:
        """Begin the session `after` seconds from now: what the person has now was there before."""
        now = clocks.now()
        ahead = int(after * SECOND)
        self.start = Start(
            wall_ns=now.wall_ns + ahead, boot_ns=now.boot_ns + ahead, boot_id=now.boot_id, has_index=has_index
        )

    def begun_before(self) -> None:
        """Let the session have begun long ago: whatever the person has was changed since."""
        self.begin(has_index=self.start.has_index, after=-3600)

    @property
    def layer(self) -> Layer:
        """Return the record."""
        status = self.person.stat()
        work = Part(
            name="work", source=str(self.person), device=status.st_dev, inode=status.st_ino, inside="/workspace"
        )
        return Layer(
            session="ses_1", agent="codex", label="", way=self.way, state=State.ENDED, parts=(work,), start=self.start,
            folder=self.folder, landed=self.landed,
        )  # fmt: skip

    def look(
        self,
        *,
        bounds: Bounds | None = None,
        pointed: Sequence[Pointed] | None = (),
        now: Now | None = None,
        **more: Any,
    ) -> Changes:
        """Look at it."""
        with opened(self.person) as person:
            return look(self.layer, person, bounds=bounds, pointed=pointed, now=now, **more)

    def changes(self) -> dict[str, Change]:
        """Return the changes by path; everything must have been seen."""
        found = self.look()
        assert not found.not_seen
        return {change.path: change for change in found.items}

    def has(self, path: str, content: str | bytes = "", *, mode: int = 0o644) -> Path:
        """Give the person a file."""
        return write(self.person / path, content, mode)

    def wrote(self, path: str, content: str | bytes = "", *, mode: int = 0o644) -> Path:
        """Let the agent have written a file."""
        return write(self.upper / path, content, mode)

    def deleted(self, path: str) -> None:
        """Let the agent have deleted a path, as the kernel marks it."""
        place = self.upper / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(place, 0o20000, 0)

    def hides(self, path: str) -> Path:
        """Let the agent have put a new folder in the place of another."""
        place = self.upper / path
        place.mkdir(parents=True, exist_ok=True)
        os.setxattr(place, "user.overlay.opaque", b"y")
        return place


def write(place: Path, content: str | bytes, mode: int) -> Path:
    """Write a file and the folders above it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
    place.chmod(mode)
    return place


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Open a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

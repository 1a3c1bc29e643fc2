"""What a copy of a person's folder was made from: one line of JSON for each path, so that changes can be told later."""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from daemon.workspaces.values import Kind


@dataclass(frozen=True, slots=True)
class Look:
    """What of a path tells whether it was changed since."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, seen: os.stat_result) -> "Look":
        """Return the look of a path."""
        return cls(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One path that was copied. What was left out of the copy is not remembered."""

    path: str
    kind: Kind
    executable: bool
    person: Look
    """As it was in the person's folder."""
    copy: Look
    """As it was in the copy, right after it was made."""


def kind_of(mode: int) -> Kind:
    """Return what a mode says that something is."""
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def write(place: Path, found: Iterable[Remembered]) -> None:
    """Write a manifest."""
    with place.open("w", encoding="ascii") as file:
        for each in found:
            line = (each.path, each.kind.value, each.executable, astuple(each.person), astuple(each.copy))
            file.write(json.dumps(line) + "\n")


def read(place: Path) -> Iterator[Remembered]:
    """Read a manifest; raise ValueError if it is damaged."""
    with place.open(encoding="ascii") as file:
        for line in file:
            try:
                path, kind, executable, person, copy = json.loads(line)
                yield Remembered(
                    path=path, kind=Kind(kind), executable=executable, person=Look(*person), copy=Look(*copy)
                )
            except (ValueError, TypeError) as problem:
                raise ValueError(f"{place} is damaged") from problem

"""Which folders may be handed to a container: none in, at or around what an agent must not see or change.

Folders are compared by what they are, not by how they are called: links are followed, a folder that is mounted at a
second place is the same one there, and so is another spelling on a file system that ignores case.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_ELSEWHERE = "Work in the folder of a project."


@dataclass(frozen=True, slots=True, kw_only=True)
class OffLimits:
    """What no container may get."""

    homes: Sequence[Path]
    """Homes of Aileron: neither they, nor anything in them, nor what holds them."""
    person: Path
    """The person's home folder: neither it nor what holds it. Projects lie in it."""
    sockets: Sequence[Path] = ()
    """Sockets of engines: nothing that holds one."""


@dataclass(frozen=True, slots=True)
class MountPoint:
    """One line of the kernel's list: a folder of a file system, and where it is seen."""

    device: str
    folder: PurePath
    seen_at: PurePath


def refusal(folder: Path, off_limits: OffLimits, *, mounted: Sequence[MountPoint] | None = None) -> str | None:
    """Say why a folder cannot be handed to a container, or return None."""
    mounted = _mounts() if mounted is None else mounted
    place = folder.resolve()
    for home in off_limits.homes:
        if holds(home, place, mounted):
            return f"{place} belongs to Aileron's own home, {home}, and an agent there could change it. {_ELSEWHERE}"
    for kept in (*off_limits.homes, off_limits.person, *off_limits.sockets):
        if holds(place, kept, mounted):
            return f"{kept} lies in {place}, and an agent there could read it. {_ELSEWHERE}"
    for mount in mounted:
        if mount.seen_at != PurePath(place) and mount.seen_at.is_relative_to(place):
            below = Path(mount.seen_at)
            if any(holds(home, below, mounted) for home in off_limits.homes) or any(
                holds(below, kept, mounted) for kept in (*off_limits.homes, off_limits.person, *off_limits.sockets)
            ):
                return f"{below} leads to what an agent must not see, and lies in {place}. {_ELSEWHERE}"
    return None


def holds(outer: Path, inner: Path, mounted: Iterable[MountPoint]) -> bool:
    """Say whether a folder is another one, or one of those above it, by whatever names."""
    outer, inner = outer.resolve(), inner.resolve()
    if inner.is_relative_to(outer):
        return True
    known = _identity(outer)
    if known is not None and any(_identity(each) == known for each in (inner, *inner.parents)):
        return True
    outer_place, inner_place = _located(outer, mounted), _located(inner, mounted)
    if outer_place is None or inner_place is None or outer_place[0] != inner_place[0]:
        return False
    return inner_place[1].is_relative_to(outer_place[1])


def read_mounts(text: str) -> list[MountPoint]:
    """Read the kernel's list of mounts, as in /proc/self/mountinfo."""
    found = []
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) > 4:
            found.append(MountPoint(fields[2], PurePath(_plain(fields[3])), PurePath(_plain(fields[4]))))
    return found


def _mounts() -> list[MountPoint]:
    try:
        return read_mounts(_MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return []  # another system than Linux


def _located(path: Path, mounted: Iterable[MountPoint]) -> tuple[str, PurePath] | None:
    """Return the file system a path is in, and the path there: the same for every place it is mounted at."""
    best: MountPoint | None = None
    for mount in mounted:
        # Of several at one place the last is seen.
        if path.is_relative_to(mount.seen_at) and (best is None or len(mount.seen_at.parts) >= len(best.seen_at.parts)):
            best = mount
    return None if best is None else (best.device, best.folder / path.relative_to(best.seen_at))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _plain(field: str) -> str:
    """Undo how the kernel writes spaces, tabs, line ends and backslashes."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), field)

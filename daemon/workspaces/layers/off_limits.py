"""Which folders may be handed to a container: none in, at or around what an agent must not see or change.

Folders are compared by what they are, not by how they are called: by device and inode of the folder and of everything
above it, and by where its file system has it, because a folder that is mounted at a second place is the same one there.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_ELSEWHERE = "Work in the folder of a project."
_DEEPEST = 4096
"""How many folders a path can have above it; Linux allows no longer path."""

Identity = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OffLimits:
    """What no container may get."""

    homes: Sequence[Path]
    """Homes of Aileron: neither they, nor anything in them, nor what holds them."""
    person: Path
    """The person's home folder: neither it nor what holds it. Projects lie in it."""
    sockets: Sequence[Path] = ()
    """Sockets of engines: nothing that holds one."""

    @property
    def kept(self) -> tuple[Path, ...]:
        """Return everything that no folder of an agent may hold."""
        return (*self.homes, self.person, *self.sockets)


@dataclass(frozen=True, slots=True)
class MountPoint:
    """One line of the kernel's list: a folder of a file system, and where it is seen."""

    device: str
    folder: PurePath
    seen_at: PurePath
    id: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a folder is, independent of its names."""

    path: Path
    above: tuple[Identity, ...]
    """What the folder is, and every folder above it."""
    located: tuple[str, PurePath] | None
    """Its file system, and where it is in there; None where the kernel does not say it."""


def refusal_by_name(path: Path, off_limits: OffLimits) -> str | None:
    """Say why a path cannot be a folder for an agent, whether anything is there or not; None if its name allows it."""
    home = next((home for home in off_limits.homes if path.is_relative_to(home.resolve())), None)
    return None if home is None else _belongs(path, home)


def refusal(place: Place, off_limits: OffLimits, mounted: Sequence[MountPoint]) -> str | None:
    """Say why a folder cannot be handed to a container, or return None."""
    for home in off_limits.homes:
        there = place_of_path(home, mounted)
        if there.path == home.resolve() and holds(there, place):
            return _belongs(place.path, home)
    for kept in off_limits.kept:
        if holds(place, place_of_path(kept, mounted)):
            return f"{kept} lies in {place.path}, and an agent there could read it. {_ELSEWHERE}"
    homes = [_located(home.resolve(), mounted) for home in off_limits.homes]
    others = [_located(kept.resolve(), mounted) for kept in off_limits.kept]
    for mount in mounted:
        if mount.seen_at != PurePath(place.path) and mount.seen_at.is_relative_to(place.path):
            below = (mount.device, mount.folder)
            if any(_within(below, home) for home in homes) or any(_within(kept, below) for kept in others):
                return f"{mount.seen_at} leads to what an agent must not see, and lies in {place.path}. {_ELSEWHERE}"
    return None


def _belongs(path: Path, home: Path) -> str:
    return f"{path} belongs to Aileron's own home, {home}, and an agent there could change it. {_ELSEWHERE}"


def holds(outer: Place, inner: Place) -> bool:
    """Say whether a folder is another one, or one of those above it, by whatever names."""
    return outer.above[0] in inner.above or _within(inner.located, outer.located)


def mounted_below(path: Path, mounted: Sequence[MountPoint]) -> tuple[Path, ...]:
    """Return where something is mounted below a folder; of mounts in each other only the outermost.

    Only the kernel's list is read: a look at the place itself could wait for ever for a server that is gone.
    """
    found: list[Path] = []
    for place in sorted({Path(mount.seen_at) for mount in mounted if mount.seen_at.is_relative_to(path)}):
        if place != path and not (found and place.is_relative_to(found[-1])):
            found.append(place)
    return tuple(found)


def place_of(descriptor: int, path: Path, mounted: Iterable[MountPoint]) -> Place:
    """Return where an opened folder is; the path is only said, never opened again."""
    return Place(path, _identities(descriptor), _located(path, mounted, _mount_of(descriptor)))


def place_of_path(path: Path, mounted: Iterable[MountPoint]) -> Place:
    """Return where something of ours is; where it is not there, the nearest folder above it that is."""
    near = path.resolve()
    while True:
        try:
            descriptor = os.open(near, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            if near == near.parent:
                raise
            near = near.parent
            continue
        try:
            return place_of(descriptor, near, mounted)
        finally:
            os.close(descriptor)


def mounts() -> list[MountPoint]:
    """Return what is mounted; nothing on another system than Linux."""
    try:
        return read_mounts(_MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return []


def read_mounts(text: str) -> list[MountPoint]:
    """Read the kernel's list of mounts, as in /proc/self/mountinfo."""
    found = []
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) > 4:
            found.append(
                MountPoint(fields[2], PurePath(_plain(fields[3])), PurePath(_plain(fields[4])), int(fields[0]))
            )
    return found


def _identities(descriptor: int) -> tuple[Identity, ...]:
    """Return what a folder and everything above it is, step by step from the descriptor, by `..` and not by name."""
    found: list[Identity] = []
    here = os.dup(descriptor)
    try:
        for _ in range(_DEEPEST):
            seen = os.fstat(here)
            if found and found[-1] == (seen.st_dev, seen.st_ino):
                break  # above the root is the root
            found.append((seen.st_dev, seen.st_ino))
            above = os.open("..", _PASSING, dir_fd=here)
            os.close(here)
            here = above
    finally:
        os.close(here)
    return tuple(found)


_PASSING = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""How a folder is opened that is only passed through: without the right to list it."""


def _mount_of(descriptor: int) -> int | None:
    """Return the number of the mount that an opened folder was reached by."""
    try:
        said = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
    except OSError:
        return None
    numbers = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    return int(numbers["mnt_id"]) if "mnt_id" in numbers else None


def _located(path: Path, mounted: Iterable[MountPoint], number: int | None = None) -> tuple[str, PurePath] | None:
    """Return the file system a path is in, and the path there: the same for every place it is mounted at."""
    best: MountPoint | None = None
    for mount in mounted:
        if not path.is_relative_to(mount.seen_at):
            continue
        if number is not None and mount.id == number:
            best = mount
            break
        # Of several at one place the last is seen.
        if best is None or len(mount.seen_at.parts) >= len(best.seen_at.parts):
            best = mount
    return None if best is None else (best.device, best.folder / path.relative_to(best.seen_at))


def _within(inner: tuple[str, PurePath] | None, outer: tuple[str, PurePath] | None) -> bool:
    if inner is None or outer is None or inner[0] != outer[0]:
        return False
    return inner[1].is_relative_to(outer[1])


def _plain(field: str) -> str:
    """Undo how the kernel writes spaces, tabs, line ends and backslashes."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), field)

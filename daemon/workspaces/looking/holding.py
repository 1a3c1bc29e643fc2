"""Finds what an agent that works on the folder itself must not write, and what it made there that tools obey.

Everything is looked at by descriptors, because the agent may be at work meanwhile.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from daemon.workspaces.layers.opening import kind_below, open_below
from daemon.workspaces.looking.runs_later import Pointed, reasons, topmost

_GIT = ".git"
_OF_GIT = ("config", "config.worktree", "commondir", "hooks", "info", "modules", "objects/info", "worktrees")
"""The files of a repository that git obeys. The others only record commits."""
_MOST_HELD = 100
_MOST_ENTRIES = 50_000
_SECONDS = 60.0
_REPOSITORY = frozenset({"HEAD", "objects", "refs"})


@dataclass(slots=True)
class Held:
    """What is mounted read-only, and what cannot be."""

    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """A link cannot be held: a mount would follow it."""
    more: bool = False
    """The folder is so large that not all of it was searched."""

    def add(self, path: str, kind: int) -> None:
        """Take note of something that must be held."""
        if kind == stat.S_IFLNK:
            self.links.append(path)
        elif kind == stat.S_IFDIR:
            self.folders.append(path)
        elif kind == stat.S_IFREG:
            self.files.append(path)


def to_hold(folder: int, pointed: Sequence[Pointed]) -> Held:
    """Find what is there of what tools obey, so that it can be mounted read-only."""
    held = Held()
    for count, (path, entry) in enumerate(
        _entries(folder, [], into=lambda path: topmost(path, held_only=True) is None)
    ):
        if count == _MOST_ENTRIES or len(held.folders) + len(held.files) == _MOST_HELD:
            held.more = True
            break
        if path != _GIT and _is_held(path):
            with suppress(FileNotFoundError):  # it went meanwhile
                held.add(path, stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode))
    for place in pointed:
        kind = kind_below(folder, place.path) if place.path and not place.path.startswith(f"{_GIT}/") else None
        if kind is not None and place.path not in {*held.folders, *held.files, *held.links}:
            held.add(place.path, kind)
    return held


def _is_held(path: str) -> bool:
    """Say whether a path is held as a whole: what the list names, and the repositories below, with all of theirs."""
    return path.rpartition("/")[2] == _GIT or topmost(path, held_only=True) is not None


def of_repository(folder: int, base: str, *, worktree: bool) -> Held:
    """Find what of a repository is held. That of a worktree is shared with others, so its `worktrees` stay writable."""
    held = Held()
    for name in _OF_GIT:
        if worktree and name == "worktrees":
            continue
        path = f"{base}/{name}" if base else name
        kind = kind_below(folder, path)
        if kind is not None:
            held.add(path, kind)
    return held


def obeyed_since(folder: int, since_ns: int) -> tuple[list[str], list[str]]:
    """Return what tools of the person obey that is newer, and what could not be looked at, in words.

    The time is that of the entry's own change, which no program can set.
    """
    found: dict[str, None] = {}
    not_seen: list[str] = []
    until = time.monotonic() + _SECONDS
    names: dict[str, set[str]] = {}
    for path, entry in _entries(folder, not_seen, into=lambda _: True):
        if time.monotonic() > until:
            not_seen.append(f"all that comes after {path}: looking took longer than {_SECONDS:g} s")
            break
        above, _, name = path.rpartition("/")
        if name in _REPOSITORY:
            names.setdefault(above, set()).add(name)
        with suppress(OSError):
            if entry.stat(follow_symlinks=False).st_ctime_ns >= since_ns and _is_obeyed(path):
                found[topmost(path) or path] = None
    for above, seen in names.items():
        if seen == _REPOSITORY and _newer(folder, above, since_ns):
            found[above or "."] = None
    return sorted(found), not_seen


def _is_obeyed(path: str) -> bool:
    parts = path.split("/")
    if _GIT in parts:  # what git records is harmless, what it obeys is not
        inside = "/".join(parts[parts.index(_GIT) + 1 :])
        return any(inside == name or inside.startswith(f"{name}/") for name in _OF_GIT)
    return bool(reasons(path, None))


def _newer(folder: int, path: str, since_ns: int) -> bool:
    """Say whether a repository was made since: its configuration or the folder of its objects is newer."""
    if path == _GIT:
        return False  # the person's own; what is obeyed in it was looked at
    with suppress(OSError):
        descriptor = open_below(folder, path)
        try:
            return any(
                os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_ctime_ns >= since_ns
                for name in ("HEAD", "config", "refs")
            )
        except FileNotFoundError:
            return True
        finally:
            os.close(descriptor)
    return True


def _entries(folder: int, not_seen: list[str], into: Callable[[str], bool]) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Yield everything below a folder by its path; what cannot be read is noted."""
    waiting = [""]
    while waiting:
        above = waiting.pop()
        try:
            descriptor = open_below(folder, above)
        except OSError as problem:
            not_seen.append(f"{above} ({problem.strerror})")
            continue
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    path = f"{above}/{entry.name}" if above else entry.name
                    yield path, entry
                    with suppress(OSError):
                        if entry.is_dir(follow_symlinks=False) and into(path):
                            waiting.append(path)
        except OSError as problem:
            not_seen.append(f"{above or '.'} ({problem.strerror})")
        finally:
            os.close(descriptor)

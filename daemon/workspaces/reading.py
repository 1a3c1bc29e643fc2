"""Reads single entries of hostile folders by descriptor: no link is followed, and nothing is read without a bound.

Whoever writes these folders may do so while they are read. So what is opened is looked at again through its own
descriptor, and a file that changes while it is read is said to have changed.
"""

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daemon.workspaces.values import Entry, Kind

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a fifo that took the place of a file must not wait for somebody who writes to it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_PIECE = 1 << 18
_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one look at a layer may read."""

    entries: int = 200_000
    """Names that are looked at, on both sides together."""
    seconds: float = 30.0
    file_bytes: int = 1 << 30
    """The largest file that is read; a larger one does not land."""
    total_bytes: int = 16 << 30
    depth: int = 128
    """How deep folders may lie in each other. Each takes two open descriptors while it is looked at."""


class Unreadable(Exception):
    """An entry could not be read, or not within the bounds: why, in words."""


class Spent(Exception):
    """A bound of the whole look is reached: which, in words."""


@dataclass(slots=True)
class Budget:
    """What is left of the bounds of one look."""

    bounds: Bounds
    steady: Callable[[], float] = time.monotonic
    entries: int = 0
    bytes: int = 0
    began: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self.began = self.steady()

    def entry(self) -> None:
        """Note one more name that is looked at; raise Spent."""
        self.entries += 1
        if self.entries > self.bounds.entries:
            raise Spent(f"more than {self.bounds.entries:,} entries")
        if self.entries % 64 == 0:
            self._time()

    def read(self, length: int) -> None:
        """Note bytes that were read; raise Spent."""
        self.bytes += length
        if self.bytes > self.bounds.total_bytes:
            raise Spent(f"more than {self.bounds.total_bytes >> 20:,} MiB to read")
        self._time()

    def _time(self) -> None:
        if self.steady() - self.began > self.bounds.seconds:
            raise Spent(f"more than {self.bounds.seconds:g} seconds")


@dataclass(frozen=True, slots=True)
class Place:
    """One name in an open folder, and what was found there."""

    folder: int
    name: str
    status: os.stat_result

    @property
    def kind(self) -> Kind:
        """Return what lies there."""
        return kind_of(self.status.st_mode)

    @property
    def special(self) -> int:
        """Return the mode bits of a file that never land: setuid, setgid and sticky."""
        return stat.S_IMODE(self.status.st_mode) & _SPECIAL if self.kind is Kind.FILE else 0


@dataclass(frozen=True, slots=True)
class Content:
    """What was read of a file."""

    digest: str
    git_id: str
    """The id that git gives this content, in hex; empty if it was not asked for."""


def kind_of(mode: int) -> Kind:
    """Return what a mode stands for."""
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISLNK(mode):
        return Kind.LINK
    return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.OTHER


def is_executable(mode: int) -> bool:
    """Say whether anybody may execute a file with this mode."""
    return bool(mode & 0o111)


def place_of(folder: int, name: str) -> Place | None:
    """Return what lies at a name, or None; raise Unreadable."""
    try:
        return Place(folder, name, os.stat(name, dir_fd=folder, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unreadable(f"it cannot be looked at ({error.strerror})") from error


def kind_below(folder: int, path: str) -> Kind | None:
    """Return what lies at a path below an open folder, without following a link; None for nothing; raise Unreadable."""
    *above, name = path.split("/")
    with contextlib.ExitStack() as folders:
        for each in above:
            place = place_of(folder, each)
            if place is None or place.kind is not Kind.FOLDER:
                return None
            folder = folders.enter_context(opened_folder(folder, each))
        place = place_of(folder, name)
    return place.kind if place is not None else None


@contextlib.contextmanager
def opened_top(folder: Path) -> Iterator[int]:
    """Open the top of an agent's side; raise OSError. It lies in a folder of ours, where no agent can swap it."""
    descriptor = os.open(folder, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened_folder(folder: int, name: str) -> Iterator[int]:
    """Open a folder in an open folder, without following a link; raise Unreadable."""
    try:
        descriptor = os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        raise Unreadable(f"it cannot be opened as a folder ({error.strerror})") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def names_in(folder: int, budget: Budget) -> list[str]:
    """Return the names in an open folder, sorted; raise Unreadable, or Spent if there are too many."""
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                budget.entry()
                names.append(entry.name)
    except OSError as error:
        raise Unreadable(f"its names cannot be read ({error.strerror})") from error
    names.sort()
    return names


def entry_at(place: Place, budget: Budget, *, git_hash: str = "") -> tuple[Entry, str]:
    """Return what lies at a place, with the digest of its content; and git's id of that if `git_hash` names how.

    Raise Unreadable if it cannot be read, is too large, or changes meanwhile; raise Spent.
    """
    status = place.status
    if place.kind is Kind.LINK:
        target = _target(place)
        raw = os.fsencode(target)
        git = _git_hash(git_hash, len(raw))
        if git is not None:
            git.update(raw)
        entry = Entry(kind=Kind.LINK, size=status.st_size, digest=digest_of(raw), target=target)
        return entry, git.hexdigest() if git is not None else ""
    if place.kind is not Kind.FILE:
        return Entry(kind=place.kind), ""
    content = _content(place, budget, git_hash)
    executable = is_executable(status.st_mode)
    return Entry(kind=Kind.FILE, size=status.st_size, executable=executable, digest=content.digest), content.git_id


def unread(place: Place) -> Entry:
    """Return what is known of a place without reading it; the digest stays empty."""
    status = place.status
    if place.kind is not Kind.FILE:
        return Entry(kind=place.kind)
    return Entry(kind=Kind.FILE, size=status.st_size, executable=is_executable(status.st_mode))


def digest_of(content: bytes) -> str:
    """Return the digest that an entry with this content has."""
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def opened_file(place: Place) -> Iterator[int]:
    """Open a regular file, if it is still the one that was found; raise Unreadable."""
    try:
        descriptor = os.open(place.name, _FILE, dir_fd=place.folder)
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or _version(status) != _version(place.status):
            raise Unreadable("it changed while it was looked at; look again")
        yield descriptor
    finally:
        os.close(descriptor)


def _content(place: Place, budget: Budget, git_hash: str) -> Content:
    size = place.status.st_size
    if size > budget.bounds.file_bytes:
        raise Unreadable(f"it is larger than {budget.bounds.file_bytes >> 20:,} MiB")
    digest = hashlib.sha256()
    git = _git_hash(git_hash, size)
    with opened_file(place) as descriptor:
        left = size
        while left > 0:
            try:
                piece = os.read(descriptor, min(_PIECE, left))
            except OSError as error:
                raise Unreadable(f"it cannot be read ({error.strerror})") from error
            if not piece:
                break
            left -= len(piece)
            budget.read(len(piece))
            digest.update(piece)
            if git is not None:
                git.update(piece)
        # A file that grows is read only up to the size that it had. One more byte than that means that it grew.
        if left or _version(os.fstat(descriptor)) != _version(place.status):
            raise Unreadable("it changed while it was read; look again")
    return Content(digest.hexdigest(), git.hexdigest() if git is not None else "")


def _git_hash(name: str, size: int) -> "hashlib._Hash | None":
    """Return what computes the id that git gives a content of this size; None if no algorithm is named."""
    return hashlib.new(name, f"blob {size}\0".encode(), usedforsecurity=False) if name else None


def _target(place: Place) -> str:
    try:
        return os.readlink(place.name, dir_fd=place.folder)
    except OSError as error:
        raise Unreadable("it changed while it was looked at; look again") from error


def _version(status: os.stat_result) -> tuple[int, int, int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

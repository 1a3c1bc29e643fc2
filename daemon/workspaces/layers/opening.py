"""Opens a person's folder once, and gives everybody who needs it the descriptor of what was opened.

A name can be made to mean another folder at any moment, by whoever may write above it: by an agent in a sandbox that
works on the same folder, for example. A descriptor cannot. So a path is resolved once, opened step by step without
following a link, checked by what was opened, and from then on named by the descriptor, for the engine, too.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.workspaces.layers.layer import Part
from daemon.workspaces.layers.off_limits import (
    MountPoint,
    OffLimits,
    Place,
    mounts,
    place_of,
    refusal,
    refusal_by_name,
)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASSING = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""How the folders above are opened: it needs no right to list them."""
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Without blocking, because it could be a fifo."""


@dataclass(slots=True, kw_only=True)
class Opened:
    """A folder that is held open. Its owner closes it, or uses it in a `with`."""

    path: Path
    """How it was called when it was opened: absolute, without links. For people; it is not opened again."""
    descriptor: int
    device: int
    inode: int
    owner: tuple[int, int]
    mode: int

    @property
    def for_engine(self) -> str:
        """Return a path that means this folder to every process of this machine, and nothing else."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @property
    def to_read(self) -> str:
        """Return a path that means this folder to our own process; where there is no such path, the name it had."""
        return self.for_engine if os.path.isdir("/proc/self/fd") else str(self.path)  # noqa: PTH112 - one look

    def part(self, name: str, inside: str) -> Part:
        """Return what is recorded of it in a layer."""
        return Part(name=name, source=str(self.path), device=self.device, inode=self.inode, inside=inside)

    def close(self) -> None:
        """Close it; a second call does nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_folder(path: Path, off_limits: OffLimits | None = None, *, follow: bool = True) -> Opened:
    """Open a folder, or raise Failure that says why it cannot be one for an agent.

    Links in the path are followed once, here, or are refused if `follow` is not set. A folder that becomes a link
    after that is refused. A folder for an agent is opened without following: the command line has resolved
    the path that the person typed, and a link that appeared since then was made by somebody else.
    """
    try:
        real = path.resolve() if follow else Path(os.path.normpath(path))
    except (OSError, RuntimeError) as problem:
        raise refused(f"{path} cannot be opened: {problem}.") from problem
    if off_limits is not None:
        beforehand = refusal_by_name(real, off_limits)
        if beforehand is not None:
            raise refused(beforehand)
    opened = hold(_walk(real), real)
    try:
        if off_limits is not None:
            mounted = mounts()
            problem_with_it = refusal(_placed(opened, mounted), off_limits, mounted)
            if problem_with_it is not None:
                raise refused(problem_with_it)
    except BaseException:
        opened.close()
        raise
    return opened


def _placed(opened: Opened, mounted: Sequence[MountPoint]) -> Place:
    try:
        return place_of(opened.descriptor, opened.path, mounted)
    except OSError as problem:  # it may be listed, and not entered: then nothing tells what is above it
        raise not_opened(opened.path, problem) from problem


def reopen(part: Part) -> Opened:
    """Open the folder that a layer is over, or raise Failure if another one is there now."""
    path = Path(part.source)
    opened = hold(_walk(path), path)
    if (opened.device, opened.inode) != (part.device, part.inode):
        opened.close()
        raise refused(
            f"{path} is not the folder that the session began with: that was moved, or made anew. Put it back."
        )
    return opened


def hold(descriptor: int, path: Path) -> Opened:
    """Make an Opened of the descriptor of a folder, which belongs to it from now on."""
    seen = os.fstat(descriptor)
    return Opened(
        path=path,
        descriptor=descriptor,
        device=seen.st_dev,
        inode=seen.st_ino,
        owner=(seen.st_uid, seen.st_gid),
        mode=stat.S_IMODE(seen.st_mode),
    )


def open_below(folder: int, relative: str) -> int:
    """Open a folder below an opened one, without following a link; raise OSError. `..` is refused, too."""
    here = os.dup(folder)
    try:
        for name in _names(relative):
            below = os.open(name, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
    except BaseException:
        os.close(here)
        raise
    return here


def opened_down(folder: int, relative: str) -> Iterator[int]:
    """Yield an opened folder, and each one on the way to another below it, without following a link; raise OSError.

    Each is open until the next one is asked for, and may only be looked at: it needs no right to list it.
    """
    here = os.dup(folder)
    try:
        yield here
        for name in _names(relative):
            below = os.open(name, _PASSING, dir_fd=here)
            os.close(here)
            here = below
            yield here
    finally:
        os.close(here)


def read_below(folder: int, relative: str, *, most: int) -> bytes | None:
    """Return what a regular file below an opened folder holds; None if there is none, or it is longer than that."""
    descriptor = open_file_below(folder, relative)
    return None if descriptor is None else read_regular(descriptor, most=most)


def open_file_below(folder: int, relative: str) -> int | None:
    """Open what lies at a path below an opened folder, to read it; it may be no regular file. None if nothing is."""
    try:
        *above, name = _names(relative)
        with _opened_below(folder, "/".join(above)) as parent:
            return os.open(name, _FILE, dir_fd=parent)
    except OSError:
        return None


def read_regular(descriptor: int, *, most: int) -> bytes | None:
    """Return what an opened regular file holds, and close it; None if it is another thing, or longer than that."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file, suppress(OSError):
        content = file.read(most + 1)
        return content if len(content) <= most else None
    return None


def kind_below(folder: int, relative: str) -> int | None:
    """Return the type bits of what lies at a path below an opened folder; None if nothing does."""
    try:
        *above, name = _names(relative)
        with _opened_below(folder, "/".join(above)) as parent:
            return stat.S_IFMT(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError:
        return None


def not_opened(path: Path, problem: OSError) -> Failure:
    """Say why a folder cannot be opened, by what the system said."""
    if problem.errno == errno.ENOENT:
        return refused(f"{path} is not there.")
    if problem.errno in (errno.ELOOP, errno.ENOTDIR):
        # O_NOFOLLOW and O_DIRECTORY together say ENOTDIR for a link.
        return refused(f"{path} is not a folder, or was replaced by a link while it was being opened.")
    return refused(f"{path} cannot be opened: {problem.strerror}.")


def refused(message: str) -> Failure:
    """Say why a folder cannot be used."""
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)


@contextmanager
def _opened_below(folder: int, relative: str) -> Iterator[int]:
    descriptor = open_below(folder, relative)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _names(relative: str) -> tuple[str, ...]:
    names = PurePosixPath(relative).parts
    if ".." in names or relative.startswith("/"):
        raise OSError(errno.EINVAL, "it leads out of the folder", relative)
    return names


def _walk(path: Path) -> int:
    """Open an absolute path from the root, step by step; a link anywhere in it is refused."""
    here = os.open("/", _PASSING if len(path.parts) > 1 else _FOLDER)
    try:
        for number, name in enumerate(path.parts[1:], start=2):
            below = os.open(name, _FOLDER if number == len(path.parts) else _PASSING, dir_fd=here)
            os.close(here)
            here = below
    except OSError as problem:
        os.close(here)
        raise not_opened(path, problem) from problem
    return here

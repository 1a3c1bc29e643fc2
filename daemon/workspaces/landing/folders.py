"""Opens the folders below an open one, the person's or the agent's: step by step, without following a link."""

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon.workspaces.layers.opening import open_below
from daemon.workspaces.values import Kind

_SAME = tuple[int, int]


class Folders:
    """Opens folders below a descriptor. The one used last stays open, because changes come folder by folder."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._path: str | None = None
        self._open = -1

    def at(self, path: str) -> int:
        """Return the descriptor of a folder, which is good until the next call; raise OSError.

        The empty path is the top. A link anywhere in the path is refused.
        """
        if path != self._path:
            self.close()
            self._open = open_below(self._top, path) if path else os.dup(self._top)
            self._path = path
        return self._open

    def is_still_there(self) -> bool:
        """Say whether the folder used last is still at its path: somebody may have moved it, and it stays open."""
        if self._path is None:
            return True
        try:
            again = open_below(self._top, self._path) if self._path else os.dup(self._top)
        except OSError:
            return False
        try:
            return _identity(again) == _identity(self._open)
        finally:
            os.close(again)

    def kind(self, path: str) -> Kind | None:
        """Return what lies at a path, None if nothing does; raise OSError if it cannot be looked at."""
        folder, _, name = path.rpartition("/")
        try:
            status = os.stat(name, dir_fd=self.at(folder), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(status.st_mode):
            return Kind.LINK
        if stat.S_ISDIR(status.st_mode):
            return Kind.FOLDER
        return Kind.FILE if stat.S_ISREG(status.st_mode) else Kind.OTHER

    def mount_top(self, path: str) -> str:
        """Return the topmost folder of the mount that a folder lies on, as far as it is below the top; raise OSError.

        Nothing can be renamed from one mount into another, also if both show the same file system.
        """
        names = path.split("/") if path else []
        here, top = os.dup(self._top), ""
        try:
            mount = _mount_of(here)
            for number, name in enumerate(names, start=1):
                below = open_below(here, name)
                os.close(here)
                here = below
                if _mount_of(here) != mount:
                    mount, top = _mount_of(here), "/".join(names[:number])
        finally:
            os.close(here)
        return top

    def close(self) -> None:
        """Close the folder that is open."""
        if self._open >= 0:
            os.close(self._open)
        self._open, self._path = -1, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def is_no_folder(problem: OSError) -> bool:
    """Say whether a folder could not be opened because it is gone, or is something else now, such as a link."""
    return problem.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def _identity(descriptor: int) -> _SAME:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _mount_of(descriptor: int) -> tuple[int, str]:
    """Return what tells one mount from another: on Linux its number, elsewhere only the device."""
    device = os.fstat(descriptor).st_dev
    try:
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    except OSError:
        return device, ""
    return device, next((line for line in lines if line.startswith("mnt_id:")), "")

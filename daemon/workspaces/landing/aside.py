"""Keeps copies of what a landing would lose, below the folder of its layer: plain files that nobody can execute."""

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from daemon.base.files import write_all
from daemon.workspaces.landing.folders import Folders
from daemon.workspaces.reading import Unreadable, opened_file, place_of
from daemon.workspaces.values import Kind

_LARGEST = 256 << 20
"""A larger file is not copied; the layer has it until that is thrown away."""

_PIECE = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Aside:
    """The copies of one landing, in a numbered folder of their own, made when the first one is kept."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._folder: Path | None = None

    def keep(self, folder: int, name: str, path: str, *, largest: int | None = _LARGEST) -> str:
        """Copy a file of an open folder; return where it lies below `kept`, or an empty text if it cannot be kept.

        Of a link the copy says where it leads. Never raises: what cannot be kept of the agent's is still in the layer,
        and a landing does not fail for it.
        """
        try:
            place = place_of(folder, name)
            if place is not None and place.kind is Kind.LINK:
                return self._write(path, partial(write_all, data=os.fsencode(os.readlink(name, dir_fd=folder))))
            size = 0 if place is None else place.status.st_size
            if place is None or place.kind is not Kind.FILE or (largest is not None and size > largest):
                return ""
            with opened_file(place) as source:
                return self._write(path, lambda target: _copy_bytes(source, target, size))
        except (Unreadable, OSError, ValueError):
            return ""

    def keep_below(self, top: Folders, path: str) -> str:
        """Copy the agent's file at a path below an open folder, likewise."""
        folder, _, name = path.rpartition("/")
        try:
            return self.keep(top.at(folder), name, path)
        except (OSError, ValueError):
            return ""

    def _write(self, path: str, write: Callable[[int], None]) -> str:
        *folders, name = path.split("/")
        here = os.open(self._own_folder(), _FOLDER)
        try:
            for each in folders:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(each, 0o700, dir_fd=here)
                below = os.open(each, _FOLDER, dir_fd=here)
                os.close(here)
                here = below
            target = os.open(name, _NEW, 0o600, dir_fd=here)
            try:
                write(target)
                os.fsync(target)
            except BaseException:
                os.unlink(name, dir_fd=here)
                raise
            finally:
                os.close(target)
        finally:
            os.close(here)
        return f"{self._own_folder().name}/{path}"

    def _own_folder(self) -> Path:
        if self._folder is None:
            self._kept.mkdir(mode=0o700, exist_ok=True)
            taken = [int(each.name) for each in self._kept.iterdir() if each.name.isdigit()]
            self._folder = self._kept / str(max(taken, default=0) + 1)
            self._folder.mkdir(mode=0o700)
        return self._folder


def _copy_bytes(source: int, target: int, size: int) -> None:
    while size and (piece := os.read(source, min(_PIECE, size))):
        size -= len(piece)
        write_all(target, piece)

"""Prepares what lands, beside where it will lie: in hidden folders of ours in the person's folder, one on each mount.

They lie there because a rename works only within one mount. One folder, and not temporary names beside each target,
so that a cut leaves one thing to clear away, and editors and watchers see nothing half written. Each holds a
`.gitignore` that covers all of it, so `git status` never shows it. Names in it are the numbers of the steps.
"""

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial

from daemon.base import exact_renames
from daemon.base.files import write_all
from daemon.workspaces.landed import LandingError
from daemon.workspaces.landing.rules import STAGING
from daemon.workspaces.layers.opening import open_below

GONE = ".gone"
"""Ends the name of a staging folder that is not needed any more: every step of it is done or undone."""

_IGNORE = ".gitignore"
_CLEARERS = 8
_SLOT = re.compile(r"\d+")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Stage:
    """One staging folder, open."""

    def __init__(self, above: int, name: str) -> None:
        self._above = above
        self.name = name
        self.descriptor = os.open(name, _FOLDER, dir_fd=above)

    @classmethod
    def make(cls, person: int, top: str, name: str) -> "Stage":
        """Make it; raise OSError, LandingError if nothing can land safely on its file system."""
        above = open_below(person, top) if top else os.dup(person)
        try:
            os.mkdir(name, 0o700, dir_fd=above)
            try:
                return cls._filled(above, name)
            except BaseException:
                _clear(above, name)
                raise
        except BaseException:
            os.close(above)
            raise

    @classmethod
    def _filled(cls, above: int, name: str) -> "Stage":
        stage = cls(above, name)
        try:
            with stage.writing(_IGNORE) as ignore:
                write_all(ignore, b"*\n")
            _try_renames(stage)
        except BaseException:
            os.close(stage.descriptor)
            raise
        return stage

    @classmethod
    def open(cls, person: int, top: str, name: str) -> "Stage | None":
        """Open one that a cut left, None if there is none with work left; what was done is cleared away.

        Raise OSError, also if the folder that it lies in is gone: then nobody knows.
        """
        above = open_below(person, top) if top else os.dup(person)
        try:
            with contextlib.suppress(FileNotFoundError):
                _clear(above, name + GONE)
            return cls(above, name)
        except FileNotFoundError:
            os.close(above)
            return None
        except BaseException:
            os.close(above)
            raise

    @cached_property
    def began_ns(self) -> int:
        """Return the time of this file system when the staging folder was made."""
        return os.stat(_IGNORE, dir_fd=self.descriptor, follow_symlinks=False).st_mtime_ns

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[int]:
        """Open a new file in it."""
        descriptor = os.open(name, _NEW, 0o600, dir_fd=self.descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def retire(self) -> None:
        """Rename it to say that it is not needed any more; from now on no recovery looks for steps in it."""
        os.rename(self.name, self.name + GONE, src_dir_fd=self._above, dst_dir_fd=self._above)

    def clear(self) -> None:
        """Remove it with everything in it, after it was retired."""
        _clear(self._above, self.name + GONE)

    def close(self) -> None:
        """Close both folders; nothing is removed."""
        os.close(self.descriptor)
        os.close(self._above)


def _try_renames(stage: Stage) -> None:
    """Raise LandingError if this file system lacks the renames that a landing needs; network file systems often do."""
    for name in ("0", "1"):
        with stage.writing(name):
            pass
    try:
        exact_renames.exchange(stage.descriptor, "0", stage.descriptor, "1")
        os.unlink("0", dir_fd=stage.descriptor)
        exact_renames.move(stage.descriptor, "1", stage.descriptor, "0")
    except OSError as problem:
        if problem.errno not in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise
        raise LandingError(
            "The file system of the folder cannot let two files change places in one step, so an edit of yours could "
            "be lost, and nothing landed. Land as a branch, or copy the folder to a file system of this machine."
        ) from problem
    os.unlink("0", dir_fd=stage.descriptor)


def refuse_left_over(person: int, top: str) -> None:
    """Raise LandingError if a landing that was cut off left something in a folder, of whatever session; OSError."""
    above = open_below(person, top) if top else os.dup(person)
    try:
        _refuse(above, top)
    finally:
        os.close(above)


def _refuse(above: int, top: str) -> None:
    for name in _names_in(above):
        if not name.startswith(STAGING):
            continue
        if name.endswith(GONE):
            _clear(above, name)
        else:
            where = f"{top}/{name}" if top else name
            raise LandingError(
                f"{where} in the folder is what another landing left when it was cut off. Start the daemon that it "
                "ran under, which undoes or finishes it. If there is none any more, look at what lies in there, and "
                "remove it."
            )


def _clear(above: int, name: str) -> None:
    """Remove a staging folder with nothing left to do. If something in it is not ours, that and the folder stay."""
    folder = os.open(name, _FOLDER, dir_fd=above)
    try:
        slots = [each for each in _names_in(folder) if _SLOT.fullmatch(each)]
        # Several at a time, because each waits for the disk: on some, freeing the blocks of a file takes a millisecond.
        with ThreadPoolExecutor(_CLEARERS, thread_name_prefix="landing-clear") as pool:
            list(pool.map(partial(_remove, folder), [slots[start::_CLEARERS] for start in range(_CLEARERS)]))
        with contextlib.suppress(OSError):
            os.unlink(_IGNORE, dir_fd=folder)  # the last one, so that git sees nothing until then
    finally:
        os.close(folder)
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=above)


def _remove(folder: int, slots: Sequence[str]) -> None:
    for each in slots:
        with contextlib.suppress(OSError):
            try:
                os.unlink(each, dir_fd=folder)
            except (IsADirectoryError, PermissionError):
                os.rmdir(each, dir_fd=folder)


def _names_in(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]

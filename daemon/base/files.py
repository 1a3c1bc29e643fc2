"""Writes files so that after any failure they are the old ones or the new ones, whole: the one writer of all rooms.

A file is written beside its target as a draft, synced, and renamed over the target; then the folder is synced. Whoever
reads sees the old content or the new, and never a part. A write that fails removes its draft and leaves the old file.
A link at the target's path is replaced, and what it points to stays as it is.

Not here: the landing of an agent's changes in `workspaces/`. It names files by open descriptors and not by paths,
because the folders in between belong to somebody else and can be exchanged for links at any moment.
"""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon.base.drafts import NEW, open_draft
from daemon.core.named_errors import about

PRIVATE = 0o600
"""The mode of what only its owner may read."""
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What a file system without hard links answers to the wish for one."""


class NotConfirmedError(OSError):
    """The file was replaced, but the disk did not confirm the new name: after a power cut it may be the former one."""


def _nothing() -> None:
    pass


def replace_file(
    path: Path,
    data: bytes,
    *,
    mode: int = PRIVATE,
    owner: tuple[int, int] | None = None,
    durable: bool = True,
    before_replace: Callable[[], None] = _nothing,
) -> None:
    """Put a file in place of whatever is at the path.

    Raises NotConfirmedError if the new file is there and only the sync of the folder failed, and any other OSError if
    the old file still stands. The mode holds whatever the umask is. With `durable`, the file is on the disk when this
    returns. Without, two syncs are saved, and a power cut may leave an empty file: enough for what the next start
    makes anew.
    """
    with Draft(path, mode=mode, owner=owner) as draft:
        draft.write(data)
        if durable:
            draft.sync()
        before_replace()
        draft.replace_target()
    if durable:
        confirm_name(path)


def create_file(path: Path, data: bytes, *, mode: int | None = PRIVATE) -> None:
    """Make a file that must not be there yet, whole or not at all, and bring it to the disk.

    Raises FileExistsError, and then what is there was not touched. Mode None is what the umask gives to a new file.
    """
    with Draft(path, mode=mode) as draft:
        draft.write(data)
        draft.sync()
        draft.become_target()
    confirm_name(path)


def write_new(path: Path, data: bytes, *, mode: int = PRIVATE, durable: bool = True) -> None:
    """Make a file that must not be there yet, under its own name at once; after an error it is gone again.

    A kill in the middle leaves a part of it. So this is for folders that nobody reads before all is in them, like one
    that is renamed as a whole; whoever renames it syncs the folder, too.
    """
    descriptor = os.open(path, NEW, mode)
    try:
        with about(path):
            os.fchmod(descriptor, mode)
            write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def confirm_name(path: Path) -> None:
    """Bring the name of a file that is in place to the disk; raises NotConfirmedError."""
    try:
        sync_folder(path.parent)
    except OSError as problem:
        raise NotConfirmedError(problem.errno, problem.strerror, str(path)) from problem


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with about(path):
            os.fsync(descriptor)
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # some network and FUSE file systems cannot sync a folder at all
            raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything: a disk that is nearly full takes a part first, and says why at the next try."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def open_regular(path: Path | str, *, folder: int | None = None, follow: bool = False) -> int:
    """Open a regular file for reading; a link, a folder, a pipe or a device is an OSError, without waiting for it."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(path, flags if follow else flags | os.O_NOFOLLOW, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return handle


class Draft:
    """A file that is being written, for callers who do something between the steps; the others call replace_file.

        made --write(), sync()--> written --replace_target() or become_target()--> in place
          |                          |
          +--------------------------+-- end of the `with` block --> gone

    Every step raises OSError with the name of a file in it.
    """

    def __init__(self, path: Path, *, mode: int | None = PRIVATE, owner: tuple[int, int] | None = None) -> None:
        self._path = path
        self._in_place = False
        self.descriptor, self._draft = open_draft(path, mode=PRIVATE if mode is not None else 0o666)
        try:
            with about(path):
                if owner is not None:
                    os.fchown(self.descriptor, *owner)
                if mode is not None:
                    os.fchmod(self.descriptor, mode)  # after the change of owner, which takes bits away
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def path(self) -> Path:
        """Return where it lies until it is in place, for whoever reads it again before that."""
        return self._draft

    def write(self, data: bytes) -> None:
        """Write more."""
        with about(self._path):
            write_all(self.descriptor, data)

    def sync(self) -> None:
        """Bring what was written to the disk."""
        with about(self._path):
            os.fsync(self.descriptor)

    def replace_target(self) -> None:
        """Take the place of whatever is at the path; the folder is not synced by this."""
        self._draft.replace(self._path)
        self._in_place = True

    def become_target(self) -> None:
        """Take a place where nothing is; raises FileExistsError."""
        try:
            os.link(self._draft, self._path, follow_symlinks=False)
        except OSError as problem:
            if problem.errno not in _NO_LINKS:
                raise
            # Without hard links, an empty file of our own keeps the place free for the moment of the rename.
            os.close(os.open(self._path, NEW, PRIVATE))
            self.replace_target()

    def _end(self) -> None:
        # The name goes while the lock is still held: nobody else can have made a draft of this name yet.
        if not self._in_place:
            self._draft.unlink(missing_ok=True)
        os.close(self.descriptor)

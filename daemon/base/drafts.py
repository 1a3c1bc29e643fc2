"""The drafts beside files that are being written: their names, and which of them a killed process has left.

A draft of `vault.json` is called `.vault.json.aileron-draft`, a name that nobody else gives to a file. It is locked
with `flock` while it is written, and that lock ends with the process, however it ends. So a draft that nobody has
locked was left behind, and the next writer of the same file removes it.
"""

import contextlib
import fcntl
import os
from pathlib import Path

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_BYTES = 200
"""File systems take names of 255 bytes, and a draft's is longer than that of its file."""


def open_draft(path: Path, *, mode: int) -> tuple[int, Path]:
    """Make the draft of a file, locked; two writers at the same time get two drafts. Raises OSError."""
    draft = draft_of(path)
    while True:
        try:
            descriptor = os.open(draft, NEW, mode)
        except FileExistsError:
            if not remove_abandoned(draft):
                draft = draft_of(path, mark=f".{os.urandom(8).hex()}")
            continue
        if _lock(descriptor, where_none=True) and _is_at(descriptor, draft):
            return descriptor, draft
        os.close(descriptor)  # another writer came between the making and the lock, and took it for abandoned


def draft_of(path: Path, *, mark: str = "") -> Path:
    """Return where the draft of a file lies."""
    name = os.fsencode(path.name)[:_MOST_BYTES].decode("utf-8", "ignore")
    return path.with_name(f".{name}{mark}.aileron-draft")


def remove_abandoned(draft: Path) -> bool:
    """Remove a draft that a killed process left; False if its writer is alive. Raises OSError if it is a folder."""
    try:
        if draft.is_symlink():
            draft.unlink(missing_ok=True)
            return True
        descriptor = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        if not _lock(descriptor, where_none=False):
            return False
        if _is_at(descriptor, draft):
            draft.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, where_none: bool) -> bool:
    """Lock a draft, unless somebody has it; `where_none` is the answer on a file system without such locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return where_none
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Say whether an open file is still the one at a path."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False

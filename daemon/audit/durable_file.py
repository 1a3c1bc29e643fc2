"""Replaces a small private file so that after a crash it is the old one or the new one, whole, and on the disk."""

import os
from collections.abc import Callable
from pathlib import Path

from daemon.core.named_errors import about


def replace_durably(path: Path, raw: bytes, *, before_rename: Callable[[], None] = lambda: None) -> None:
    """Write beside the file, sync, rename over it and sync the folder; raises OSError, and then the old file stands."""
    with about(path):
        _replace(path, raw, before_rename)


def _replace(path: Path, raw: bytes, before_rename: Callable[[], None]) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_whole(descriptor, raw)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    before_rename()
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Put the names in a folder on the disk; raise OSError."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_whole(descriptor: int, raw: bytes) -> None:
    """Write all of it from the beginning of the file; a disk that takes only a part of it has failed."""
    written = os.pwrite(descriptor, raw, 0)
    if written != len(raw):
        # The rest says why: a full disk takes a part first, and nothing at the second try.
        rest = os.pwrite(descriptor, raw[written:], written)
        if written + rest != len(raw):
            raise OSError(f"only {written + rest} of {len(raw)} bytes could be written")

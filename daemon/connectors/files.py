"""Files of this room: only regular ones are read, and a crash while writing leaves the old content or the new."""

import contextlib
import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path | str, *, folder: int | None = None, follow: bool = False) -> int:
    """Open a regular file for reading; a link, a folder, a pipe or a device is an OSError, without waiting for it."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(path, flags if follow else flags | os.O_NOFOLLOW, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file")
    return handle


def write_private(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Create a file that must not exist yet and bring its content to the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)  # whatever the umask was
        file.write(data)
        file.flush()
        os.fsync(handle)


def replace_private(path: Path, data: bytes, *, token: str, mode: int = 0o600) -> None:
    """Replace a file in one step; `token` keeps the temporary name apart from any other."""
    temporary = path.with_name(f".{path.name}.{token}")
    try:
        write_private(temporary, data, mode=mode)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Bring a folder's own entries to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

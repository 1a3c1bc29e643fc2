"""Writing files of this room so that a crash leaves the old content or the new, never a part of either."""

import contextlib
import os
from pathlib import Path


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

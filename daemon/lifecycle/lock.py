"""A lock on a file, held by a process and gone when the process is."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from daemon.core.named_errors import about

_POLL_SECONDS = 0.02


class FileLock:
    """An exclusive lock; the file is never removed, because removing it would let two hold it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, *, seconds: float = 0.0) -> bool:
        """Take the lock, waiting at most so long; say whether it was got."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                # For the message to a person who finds the lock held and no discovery file.
                try:
                    with about(self._path):
                        os.ftruncate(descriptor, 0)
                        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                except OSError:
                    os.close(descriptor)
                    raise
                self._descriptor = descriptor
                return True

    def release(self) -> None:
        """Give the lock back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def holder(self) -> int | None:
        """Return the number of the process that took the lock last, if that can be told."""
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return None

    @property
    def held(self) -> bool:
        """Say whether this object holds the lock."""
        return self._descriptor is not None

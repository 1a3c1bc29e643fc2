"""One landing at a time in a folder, whichever layer, daemon or home it comes from."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator

from daemon.workspaces.landed import LandingError

_AGAIN_SECONDS = 0.05
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def only_landing_in(person: int, *, patience: float = 60.0) -> Iterator[None]:
    """Hold the lock of a folder; wait for another landing so many seconds, then raise LandingError.

    The folder itself is locked, so two homes see each other, too, and the kernel lets go when a daemon dies.
    """
    # Opened anew: a lock belongs to an opened descriptor, and the given one may be shared by two landings.
    own = os.open(".", _FOLDER, dir_fd=person)
    try:
        _lock(own, time.monotonic() + patience)
        yield
    finally:
        os.close(own)


def _lock(descriptor: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as problem:
            if problem.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise LandingError(f"The folder cannot be locked ({problem.strerror}), so nothing landed.") from problem
        if time.monotonic() >= until:
            raise LandingError(
                "Another landing in this folder is under way. Nothing landed; try again when it is done."
            )
        time.sleep(_AGAIN_SECONDS)

"""Replaces the index of the person's repository while no git command of theirs can use it.

Git takes `index.lock` before it commits, switches or stages, and gives up where that exists. We make the same file, so
that a commit of the person's cannot take in what we have just staged. Besides, the file is locked with `flock`, which
ends with the process: a lock that a killed daemon left is known by that, and removed by whoever comes next.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from daemon.base.files import sync_folder
from daemon.workspaces.commits.failures import conflict
from daemon.workspaces.commits.host_git import Repository
from daemon.workspaces.commits.owners import give

_MARK = b"held by aileron while commits land\n"
_OURS = "index.aileron-"
_NEW = f"{_OURS}new"
_BEFORE = f"{_OURS}before"


@contextlib.contextmanager
def locked_index(repository: Repository) -> Iterator[None]:
    """Hold the index; raises Failure if a git command of the person's, or another landing, has it."""
    recover_index(repository)
    descriptor = _lock(repository)
    try:
        yield
    finally:
        for left in repository.git_dir.glob(f"{_OURS}*"):
            left.unlink(missing_ok=True)
        (repository.git_dir / "index.lock").unlink(missing_ok=True)
        os.close(descriptor)


def _lock(repository: Repository) -> int:
    """Make the lock; it has our mark from its first moment, so that a kill never leaves one that nobody knows."""
    lock = repository.git_dir / "index.lock"
    made, place = tempfile.mkstemp(prefix=f"{_OURS}lock-", dir=repository.git_dir)
    try:
        fcntl.flock(made, fcntl.LOCK_EX)
        os.write(made, _MARK)
        give(repository, [Path(place)])
        os.link(place, lock)
    except (FileExistsError, FileNotFoundError):
        # It exists, or whoever holds it has just cleared away what we were about to link.
        os.close(made)
        raise conflict(f"A git command is at work in your repository ({lock} is there). Try again later.") from None
    except BaseException:
        os.close(made)
        raise
    finally:
        Path(place).unlink(missing_ok=True)
    return made


def replace_index(repository: Repository, change: Callable[[Path], None]) -> Callable[[], None]:
    """Replace the index, which must be held, by a changed copy; return what puts the old one back, to the byte."""
    index, new, before = (repository.git_dir / name for name in ("index", _NEW, _BEFORE))
    for copy in (new, before):
        shutil.copy2(index, copy)
    change(new)
    give(repository, [new, before])
    new.replace(index)
    sync_folder(repository.git_dir)

    def put_back() -> None:
        before.replace(index)
        sync_folder(repository.git_dir)

    return put_back


def recover_index(repository: Repository) -> bool:
    """Remove the lock of a landing that was killed; say whether there was one. A lock of git's own is left alone."""
    lock = repository.git_dir / "index.lock"
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.read(descriptor, len(_MARK) + 1) != _MARK:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), lock.lstat()):
            return False
        lock.unlink()
        return True
    except OSError as problem:
        if problem.errno in {errno.EWOULDBLOCK, errno.ENOENT}:
            return False  # it is held, or somebody was quicker
        raise
    finally:
        os.close(descriptor)

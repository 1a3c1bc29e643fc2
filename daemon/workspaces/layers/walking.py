"""Walks and removes folders that an agent made: by descriptors, no link followed, however many or deep they are."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AT_ONCE = 1000
_DEEP = 64
"""Folders below this depth are moved up before they are removed: each open folder takes a descriptor."""
_BLOCK = 512
"""What the kernel counts allocated room in, whatever the file system's own blocks are."""


def remove_tree(place: Path) -> None:
    """Remove a folder and everything in it; raise OSError for what cannot be removed, when the rest is gone."""
    parent = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            _remove_folder(parent, place.name, parent, 0)
    finally:
        os.close(parent)


def _remove_folder(parent: int, name: str, top: int, depth: int) -> None:
    try:
        os.rmdir(name, dir_fd=parent)  # also an empty one of root's, which nobody else may look into
        return
    except FileNotFoundError:
        raise
    except OSError:
        pass
    folder = _open_for_removal(parent, name)
    try:
        _empty(folder, top, depth)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)


def _empty(folder: int, top: int, depth: int) -> None:
    failed: OSError | None = None
    kept: set[str] = set()
    while True:
        with os.scandir(folder) as entries:
            batch = list(islice((entry for entry in entries if entry.name not in kept), _AT_ONCE))
        if not batch:
            break
        for entry in batch:
            try:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=folder)
                elif depth < _DEEP:
                    _remove_folder(folder, entry.name, top if depth else folder, depth + 1)
                else:
                    os.close(_open_for_removal(folder, entry.name))  # it must be writable to be moved
                    os.rename(entry.name, f".deep-{os.urandom(8).hex()}", src_dir_fd=folder, dst_dir_fd=top)
            except FileNotFoundError:
                continue
            except OSError as problem:
                failed = problem
                kept.add(entry.name)
    if failed is not None:
        raise failed


def _open_for_removal(parent: int, name: str) -> int:
    """Open a folder, and make it one that its owner can empty."""
    place = os.open(name, _FOLDER | os.O_PATH, dir_fd=parent)
    try:
        reached = f"/proc/self/fd/{place}"
        if os.fstat(place).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            Path(reached).chmod(stat.S_IRWXU)
        return os.open(reached, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(place)


def allocated(folder: Path, *, stop: Callable[[], bool] = lambda: False) -> int:
    """Return how many bytes of the disk a folder takes. A hole in a file takes nothing; a hard link counts once.

    What cannot be looked into is left out, so a limit on an agent must also look at the free room of the disk.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    for entry in _entries(folder):
        if stop():
            break
        with suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * _BLOCK
    return total


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Yield everything below a folder. One descriptor is open at a time: the way up is `..`, and is checked."""
    try:
        here = os.open(folder, _FOLDER)
    except OSError:
        return
    levels: list[tuple[tuple[int, int], list[str]]] = []
    try:
        while True:
            below: list[str] = []
            with suppress(OSError), os.scandir(here) as entries:
                for entry in entries:
                    yield entry
                    with suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            below.append(entry.name)
            levels.append((_identity(here), below))
            going = _next_folder(here, levels)
            if going is None:
                return
            here = going
    finally:
        with suppress(OSError):
            os.close(here)


def _next_folder(here: int, levels: list[tuple[tuple[int, int], list[str]]]) -> int | None:
    """Return the next folder, opened; `here` is closed then. None at the end, or if the agent moved what is walked."""
    while levels:
        _, waiting = levels[-1]
        while waiting:
            with suppress(OSError):
                below = os.open(waiting.pop(), _FOLDER, dir_fd=here)
                os.close(here)
                return below
        levels.pop()
        if not levels:
            return None
        try:
            above = os.open("..", _FOLDER, dir_fd=here)
        except OSError:
            return None
        if _identity(above) != levels[-1][0]:
            os.close(above)
            return None
        os.close(here)
        here = above
    return None


def _identity(descriptor: int) -> tuple[int, int]:
    seen = os.fstat(descriptor)
    return seen.st_dev, seen.st_ino

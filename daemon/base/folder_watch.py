"""Tells when something in a folder may have changed: told by the kernel where it can be, and by looking where not."""

import asyncio
import os
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from daemon.base import inotify
from daemon.base.inotify import Inotify
from daemon.base.platform import network_filesystem

_LOOK_SECONDS = 2.0
"""How often a folder is looked at that the kernel says nothing of."""

_MAKE_SURE_SECONDS = 60.0
"""How often one is looked at all the same: a file may change under another name (a hard link), or be mounted over."""

_QUIET_SECONDS = 0.1
_LONGEST_SECONDS = 2.0
"""Changes that come together are one: it is told when none came for the first time, or after the second."""

_INSIDE = (
    inotify.MODIFY
    | inotify.ATTRIBUTES
    | inotify.CLOSED_WRITTEN
    | inotify.MOVED_FROM
    | inotify.MOVED_TO
    | inotify.CREATED
    | inotify.DELETED
    | inotify.DELETED_SELF
    | inotify.MOVED_SELF
    | inotify.ONLY_FOLDERS
)
_BESIDE = inotify.MOVED_FROM | inotify.MOVED_TO | inotify.CREATED | inotify.DELETED | inotify.ATTRIBUTES

Seen = tuple[tuple[str, int, int, int, int], ...] | None


class FolderWatch:
    """Watches one folder. All of it belongs to the event loop's thread, but for the looking, which may block."""

    def __init__(
        self, folder: Path, *, look_seconds: float = _LOOK_SECONDS, make_sure_seconds: float = _MAKE_SURE_SECONDS
    ) -> None:
        self._folder = folder
        self._look_seconds = look_seconds
        self._make_sure_seconds = make_sure_seconds
        self._woken = asyncio.Event()

    def nudge(self) -> None:
        """Have it told that something may have changed, for a reason that this watch does not know."""
        self._woken.set()

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yield each time something may have changed since the one before; once for what comes together.

        It never raises: a folder that is missing, unreadable or not a folder is one that may change.
        """
        loop = asyncio.get_running_loop()
        executor = ThreadPoolExecutor(1, thread_name_prefix="folder")
        notes: _Notes | None = None
        try:
            notes = _Notes.placed(self._folder, self._woken)
            known = await loop.run_in_executor(executor, seen, self._folder)
            while True:
                if await self._woke(self._look_seconds if notes is None else self._make_sure_seconds):
                    await self._settle(notes)
                    if notes is not None and notes.is_lost:
                        notes.close()
                        notes = _Notes.placed(self._folder, self._woken)
                    yield
                    continue
                now = await loop.run_in_executor(executor, seen, self._folder)
                if notes is None:
                    notes = _Notes.placed(self._folder, self._woken)  # there may be room for it now
                if now != known:
                    known = now
                    yield
        finally:
            if notes is not None:
                notes.close()
            executor.shutdown(wait=False)

    async def _woke(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    async def _settle(self, notes: "_Notes | None") -> None:
        """Wait until no more changes come, or for long enough."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _LONGEST_SECONDS
        while self._woken.is_set():
            self._woken.clear()
            if notes is not None:
                notes.take()
            if not await self._woke(min(_QUIET_SECONDS, max(0.0, end - loop.time()))) or loop.time() >= end:
                return


class _Notes:
    """The kernel's notes about a folder, and about its name in the folder above, so that another one is noticed."""

    def __init__(self, notifier: Inotify, folder: Path, woken: asyncio.Event) -> None:
        self._notifier = notifier
        self._name = folder.name
        self._woken = woken
        self._beside = notifier.watch(folder.parent, _BESIDE)
        self._inside = notifier.watch(folder, _INSIDE)
        self.is_lost = False
        asyncio.get_running_loop().add_reader(notifier.descriptor, self._read)

    @classmethod
    def placed(cls, folder: Path, woken: asyncio.Event) -> Self | None:
        """Begin to take notes; None where the kernel cannot, so that somebody has to look.

        It says nothing of what others change on a network file system, and nothing when a link on the way is changed.
        """
        try:
            if folder.is_symlink() or network_filesystem(folder) is not None:
                return None
            notifier = Inotify()
        except (OSError, RuntimeError):  # the latter for links that go round in a circle
            return None
        try:
            return cls(notifier, folder, woken)
        except OSError:
            notifier.close()
            return None

    def take(self) -> None:
        """Read what has been noted, so that the descriptor is quiet until there is more."""
        for note in self._notifier.read():
            ours = note.watch == self._inside or (note.watch == self._beside and note.name == self._name)
            if note.kinds & inotify.OVERFLOW or ours:
                self._woken.set()
            # Another folder may have come to its place, or its permissions may have changed.
            if (note.watch == self._beside and note.name == self._name) or note.kinds & inotify.LOST:
                self.is_lost = True
                self._woken.set()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._notifier.descriptor)
        self._notifier.close()

    def _read(self) -> None:
        self.take()


def seen(folder: Path) -> Seen:
    """Return what tells one state of a folder from another; None if it cannot be looked at."""
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted(map(_of_entry, entries)))
    except OSError:
        return None


def _of_entry(entry: "os.DirEntry[str]") -> tuple[str, int, int, int, int]:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return entry.name, 0, 0, 0, 0  # it went away in between
    return entry.name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino

"""The notes that Linux takes about folders, by its own interface: the standard library has none to it."""

import ctypes
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

MODIFY = 0x002
ATTRIBUTES = 0x004
CLOSED_WRITTEN = 0x008
MOVED_FROM = 0x040
MOVED_TO = 0x080
CREATED = 0x100
DELETED = 0x200
DELETED_SELF = 0x400
MOVED_SELF = 0x800
ONLY_FOLDERS = 0x0100_0000
OVERFLOW = 0x4000
LOST = DELETED_SELF | MOVED_SELF | 0x2000 | 0x8000
"""The folder is not where it was: removed, moved, unmounted, or not watched any more."""

_HEAD = struct.Struct("iIII")
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened: in which watched folder, what, and to which name in it."""

    watch: int
    kinds: int
    name: str


class Inotify:
    """An instance of the kernel's notifier.

    Making one, and watching a folder, raises OSError where the system has no notifier or no more of them to give:
    both have a small limit for each user.
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("only Linux has inotify")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")

    def watch(self, folder: Path, kinds: int) -> int:
        """Begin to take notes about a folder; return the number that its notes carry."""
        number = self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), ctypes.c_uint32(kinds))
        return self._checked(number, str(folder))

    def read(self) -> list[Note]:
        """Return the notes taken so far; none of them waits for more."""
        try:
            raw = os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return []
        notes, place = [], 0
        while place < len(raw):
            watch, kinds, _, length = _HEAD.unpack_from(raw, place)
            place += _HEAD.size
            name = os.fsdecode(raw[place : place + length].rstrip(b"\0"))
            place += length
            notes.append(Note(watch, kinds, name))
        return notes

    def close(self) -> None:
        """Take no more notes."""
        os.close(self.descriptor)

    def _checked(self, result: int, what: str) -> int:
        if result < 0:
            problem = ctypes.get_errno()
            raise OSError(problem, os.strerror(problem), what)
        return result

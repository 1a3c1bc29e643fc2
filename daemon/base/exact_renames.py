"""Renames that never overwrite anything, and the sync of a whole file system: what Python's `os` does not offer."""

import ctypes
import errno
import os
import sys

_libc = ctypes.CDLL(None, use_errno=True)
if sys.platform == "darwin":
    _renameat2 = getattr(_libc, "renameatx_np", None)
    _NOREPLACE, _EXCHANGE = 4, 2
else:
    _renameat2 = getattr(_libc, "renameat2", None)
    _NOREPLACE, _EXCHANGE = 1, 2
_syncfs = getattr(_libc, "syncfs", None)
if _renameat2 is not None:
    _renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
if _syncfs is not None:
    _syncfs.argtypes = [ctypes.c_int]


def move(from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
    """Give something another name in an open folder; raise FileExistsError if something has that name."""
    _rename(from_folder, from_name, to_folder, to_name, _NOREPLACE)


def exchange(one_folder: int, one_name: str, other_folder: int, other_name: str) -> None:
    """Let two things change places in one step; raise FileNotFoundError if one of them is not there."""
    _rename(one_folder, one_name, other_folder, other_name, _EXCHANGE)


def can_sync_whole() -> bool:
    """Say whether `sync_whole` works here."""
    return _syncfs is not None


def sync_whole(descriptor: int) -> None:
    """Return when everything that was written to the file system of a descriptor is on the disk; raise OSError."""
    if _syncfs is None or _syncfs(descriptor) != 0:
        _complain("")


def _rename(from_folder: int, from_name: str, to_folder: int, to_name: str, how: int) -> None:
    if _renameat2 is None:
        raise OSError(errno.ENOSYS, "this system cannot exchange two files in one step", to_name)
    if _renameat2(from_folder, os.fsencode(from_name), to_folder, os.fsencode(to_name), how) != 0:
        _complain(to_name)


def _complain(name: str) -> None:
    code = ctypes.get_errno() or errno.ENOSYS
    raise OSError(code, os.strerror(code), name or None)

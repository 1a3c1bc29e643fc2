"""Copies what a file holds to another one inside the kernel, with shared blocks where the file system has them."""

import errno
import fcntl
import os

_CLONE = 0x40049409
"""FICLONE: both files share their blocks from then on, until one of them is written to."""
_PIECE = 64 * 1024**2


def copy_content(reading: int, writing: int, size: int) -> None:
    """Share the blocks, or copy so many bytes; what is a hole stays one where the kernel sees it. Raise OSError."""
    try:
        fcntl.ioctl(writing, _CLONE, reading)
        return
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
    done = 0
    while done < size:
        begin, end = _next_data(reading, done, size)
        os.lseek(reading, begin, os.SEEK_SET)
        os.lseek(writing, begin, os.SEEK_SET)
        while begin < end:
            copied = os.sendfile(writing, reading, begin, min(_PIECE, end - begin))
            if not copied:
                break  # it has shrunk
            begin += copied
        done = end
    os.ftruncate(writing, size)


def _next_data(reading: int, at: int, size: int) -> tuple[int, int]:
    try:
        begin = os.lseek(reading, at, os.SEEK_DATA)
        return min(begin, size), min(os.lseek(reading, begin, os.SEEK_HOLE), size)
    except OSError as problem:
        if problem.errno == errno.ENXIO:
            return size, size  # nothing but a hole is left
        return at, size

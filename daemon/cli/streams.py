"""The three streams of the program, also where whoever started it closed one."""

import errno
import io
import os
import sys
from typing import NoReturn


class ClosedStream(io.StringIO):
    """Stands where a stream was closed by whoever started the program: nothing can be written."""

    def write(self, text: str, /) -> int:
        """Refuse what there is to write; nothing is no problem."""
        if text:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return 0


def open_streams() -> None:
    """Put something in the place of each stream that is closed.

    The number of a closed descriptor would go to the next file or socket that is opened, and what is written to the
    stream would end up there. So the number is taken first.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    if sys.stdout is None:
        sys.stdout = ClosedStream()
    if sys.stderr is None:
        sys.stderr = io.StringIO()


def leave(code: int) -> NoReturn:
    """End the process at once, after writing what waits to be written; taking the interpreter down is 12 ms."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)

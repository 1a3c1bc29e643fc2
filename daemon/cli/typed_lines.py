"""What a person types at a terminal, line by line: a line is read when Enter ends it, and never before."""

import os
import select
import termios
from typing import TextIO

_LONGEST_LINE = 4096


class TypedLines:
    """Reads whole lines, and waits for one no longer than it is told to."""

    def __init__(self, stdin: TextIO) -> None:
        self._descriptor = stdin.fileno()

    def read(self, seconds: float) -> str | None:
        """Return the next line without its end, or None if none is ended in time; raise EOFError at the end."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return None
        # Straight from the descriptor: a buffered reader would keep lines that forget() could not reach.
        try:
            line = os.read(self._descriptor, _LONGEST_LINE)
        except OSError:  # the terminal has gone
            line = b""
        if not line:
            raise EOFError
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def forget(self) -> None:
        """Drop what was typed and not read yet, also a line that is not ended."""
        termios.tcflush(self._descriptor, termios.TCIFLUSH)

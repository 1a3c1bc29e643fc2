"""The keyboard, key by key: without echo, and put back as it was."""

import os
import select
import termios
import tty
from types import TracebackType
from typing import Any, Self, TextIO

_END_OF_INPUT = "q"


class Keys:
    """Reads single keys from a terminal for as long as it is entered."""

    def __init__(self, stdin: TextIO) -> None:
        self._descriptor = stdin.fileno()
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def read(self, seconds: float) -> str:
        """Return the next key in lower case, or nothing if none is pressed in time."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return ""
        # Straight from the descriptor: a buffered reader would keep keys that forget() could not reach.
        try:
            pressed = os.read(self._descriptor, 1)
        except OSError:  # the terminal has gone
            return _END_OF_INPUT
        return pressed.decode("ascii", "replace").lower() if pressed else _END_OF_INPUT

    def forget(self) -> None:
        """Drop what was pressed and not read yet."""
        termios.tcflush(self._descriptor, termios.TCIFLUSH)

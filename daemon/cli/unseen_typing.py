"""Keeps what is typed off the screen from the start of a command that asks for a secret, and not only at its question.

A daemon takes seconds to start, and people type their passphrase meanwhile.
"""

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_LOCAL_FLAGS = 3


class UnseenTyping:
    """A terminal whose echo is off between `begin` and `end`.

    It is on again however the program ends, also by a signal, and while the program is stopped by Ctrl-Z; only
    SIGKILL leaves it off. A program in the background leaves the terminal alone: it belongs to another one.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def begin(self) -> None:
        """Turn the echo off."""
        with suppress(OSError, termios.error):
            if os.tcgetpgrp(self._descriptor) != os.getpgrp():
                return
            self._before = termios.tcgetattr(self._descriptor)
            for number in (*_ENDING, signal.SIGTSTP):
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._handlers[number] = signal.signal(number, self._on_signal)
            self._echo(on=False)

    def end(self, *, forget: bool) -> None:
        """Turn the echo on again; `forget` drops what was typed and not read, which the shell would show and run."""
        self._restore(forget=forget)
        self._before = None
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    @contextmanager
    def seen(self) -> Iterator[None]:
        """Show what is typed at a question that is for no secret."""
        self._echo(on=True)
        try:
            yield
        finally:
            self._echo(on=False)

    def _echo(self, *, on: bool) -> None:
        if self._before is None:
            return
        with suppress(OSError, termios.error):
            now = termios.tcgetattr(self._descriptor)
            as_before = self._before[_LOCAL_FLAGS] & termios.ECHO
            now[_LOCAL_FLAGS] = now[_LOCAL_FLAGS] & ~termios.ECHO | (as_before if on else 0)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, now)

    def _restore(self, *, forget: bool) -> None:
        if self._before is None:
            return
        with suppress(OSError, termios.error):
            if os.tcgetpgrp(self._descriptor) == os.getpgrp():
                termios.tcsetattr(self._descriptor, termios.TCSAFLUSH if forget else termios.TCSADRAIN, self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as the signal module calls it
        self._restore(forget=True)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Only the stop by Ctrl-Z comes back: the person has the program in front again.
        signal.signal(number, self._on_signal)
        self._echo(on=False)

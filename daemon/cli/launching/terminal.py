"""The person's terminal while an agent has it: raw, and given back whatever happens."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

_RESTORING = b"\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[<u\x1b[0m"
"""Leave the other screen, show the cursor, stop reporting mouse, paste and focus, and forget colours."""


def is_terminal() -> bool:
    """Say whether the person sits at both ends."""
    return os.isatty(0) and os.isatty(1)


def size() -> tuple[int, int]:
    """Return columns and rows."""
    try:
        found = os.get_terminal_size(1)
    except OSError:
        return 80, 24
    return max(found.columns, 1), max(found.lines, 1)


@contextlib.contextmanager
def raw_terminal() -> Iterator[None]:
    """Hand every key on as it is; a second process gives the terminal back if this one is killed."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    watching, living = os.pipe()
    guard = _fork_guard(before, watching, living)
    os.close(watching)
    try:
        tty.setraw(0, termios.TCSADRAIN)
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, before)
        _write(_RESTORING)
        os.write(living, b".")
        os.close(living)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(guard, 0)


def _fork_guard(before: list[object], watching: int, living: int) -> int:
    import termios

    sys.stdout.flush()
    sys.stderr.flush()
    guard = os.fork()
    if guard:
        return guard
    try:
        os.close(living)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTOU):
            signal.signal(number, signal.SIG_IGN)
        if os.read(watching, 1) == b"":  # nobody said goodbye
            termios.tcsetattr(0, termios.TCSADRAIN, before)  # type: ignore[arg-type]
            _write(_RESTORING)
    finally:
        os._exit(0)


def _write(data: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(1, data)

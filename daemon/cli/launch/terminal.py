"""The person's terminal while an agent has it: raw where keys go to the agent, and given back whatever happens."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

from daemon.cli.launch.sequences import RESTORING


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
def lent_terminal(*, raw: bool) -> Iterator[None]:
    """Let an agent write to the terminal, and with `raw` have every key as it is; give it back as it was.

    If this process is killed, a second one gives the terminal back. Does nothing where no output is a terminal.
    """
    shown_at = next((descriptor for descriptor in (1, 2) if os.isatty(descriptor)), None)
    if shown_at is None:
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(0) if raw else None
    watching, living = os.pipe()
    guard = _fork_guard(before, shown_at, watching, living)
    os.close(watching)
    try:
        if raw:
            tty.setraw(0, termios.TCSADRAIN)
        yield
    finally:
        _give_back(before, shown_at)
        os.write(living, b".")
        os.close(living)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(guard, 0)


def _fork_guard(before: list[object] | None, shown_at: int, watching: int, living: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    guard = os.fork()
    if guard:
        return guard
    try:
        os.close(living)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTOU):
            signal.signal(number, signal.SIG_IGN)
        if os.read(watching, 1) == b"":  # the pipe closed without a word: the launcher was killed
            _give_back(before, shown_at)
    finally:
        os._exit(0)


def _give_back(before: list[object] | None, shown_at: int) -> None:
    import termios

    if before is not None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, before)  # type: ignore[arg-type]
    with contextlib.suppress(OSError):
        os.write(shown_at, RESTORING)

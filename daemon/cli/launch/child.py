"""Runs an agent in the foreground, as a shell would: its terminal, its signals, its exit code."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from daemon.cli.failure import CliFailure

_PR_SET_PDEATHSIG = 1
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# The terminal sends these to the agent itself, which is in the same group; the launcher only must not die of them.
_SHARED = (signal.SIGINT, signal.SIGQUIT)


def run_agent(argv: Sequence[str], *, environment: Mapping[str, str], folder: Path | None) -> int:
    """Run a program to its end and return its exit code, 128 and more for a signal."""
    with _terminal_restored(), _signals_held() as held:
        try:
            process = subprocess.Popen(
                argv,
                env=dict(environment),
                cwd=folder,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - there are no threads here
            )
        except OSError as problem:
            raise CliFailure(f"{argv[0]} cannot be run: {problem.strerror}") from problem
        held.hand_over(process)
        code = process.wait()
    return code if code >= 0 else 128 - code


def _die_with_parent() -> None:
    # If the launcher is killed, nobody would end the agent; its session is dead then in any case.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _Held:
    """Signals that arrived while there was no agent yet go to it as soon as there is."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def hand_over(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def take(self, number: int, _: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


@contextlib.contextmanager
def _signals_held() -> Iterator[_Held]:
    held = _Held()

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return None

    # Handlers and not SIG_IGN: what is ignored stays ignored in the agent, what is handled does not.
    handlers: dict[signal.Signals, Any] = dict.fromkeys(_FORWARDED, held.take) | dict.fromkeys(_SHARED, ignore)
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _terminal_restored() -> Iterator[None]:
    """Give the terminal back as it was: an agent that is killed leaves it raw."""
    if not os.isatty(0):
        yield
        return
    import termios

    before = termios.tcgetattr(0)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, before)

"""Runs an agent in the foreground, as a shell would: its terminal, its signals, its exit code."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from daemon.cli.failure import CliFailure
from daemon.cli.launch.interrupts import CAN_TELL, SHARED, GuessedInterrupts, Interrupts

_PR_SET_PDEATHSIG = 1
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True)
class Ended:
    """How an agent ended."""

    code: int
    """Its exit code, 128 and more for a signal."""
    interrupted: signal.Signals | None
    """What somebody sent to the launcher alone, and the launcher to the agent."""
    insisted: bool
    """The agent went on after that, and was ended with SIGTERM."""


def run_agent(argv: Sequence[str], *, environment: Mapping[str, str], folder: Path | None) -> Ended:
    """Run a program to its end and return how it ended."""
    passing = _Passing()
    interrupts = Interrupts(passing.send) if CAN_TELL else GuessedInterrupts(passing.send)
    with _terminal_restored(), _handled(passing, interrupts), _blocked() as before:

        def begin() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            _die_with_parent()

        try:
            process = subprocess.Popen(
                argv,
                env=dict(environment),
                cwd=folder,
                preexec_fn=begin if sys.platform == "linux" else None,  # noqa: PLW1509 - there are no threads here
            )
        except OSError as problem:
            raise CliFailure(f"{argv[0]} cannot be run: {problem.strerror}") from problem
        passing.hand_over(process)
        with _waited_for(interrupts):
            code = process.wait()
    return Ended(code if code >= 0 else 128 - code, interrupts.passed_on, interrupts.insisted)


def _die_with_parent() -> None:
    # If the launcher is killed, nobody would end the agent; its session is dead then in any case.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _Passing:
    """Passes signals on to the agent; those that arrive before it runs go to it as soon as it does."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def hand_over(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def take(self, number: int, _: FrameType | None) -> None:
        self.send(number)

    def send(self, number: int) -> None:
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


@contextlib.contextmanager
def _handled(passing: _Passing, interrupts: Interrupts | GuessedInterrupts) -> Iterator[None]:
    def ignore(_number: int, _frame: FrameType | None) -> None:
        return None

    shared = interrupts.take if isinstance(interrupts, GuessedInterrupts) else ignore
    # Handlers and not SIG_IGN: what is ignored stays ignored in the agent, what is handled does not.
    handlers: dict[signal.Signals, Any] = dict.fromkeys(_FORWARDED, passing.take) | dict.fromkeys(SHARED, shared)
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _blocked() -> Iterator[set[int]]:
    """Block the shared signals where a thread waits for them; yield the mask that the agent must begin with."""
    before = set(signal.pthread_sigmask(signal.SIG_BLOCK, SHARED if CAN_TELL else ()))
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _waited_for(interrupts: Interrupts | GuessedInterrupts) -> Iterator[None]:
    if isinstance(interrupts, GuessedInterrupts):
        yield
        return
    interrupts.start()
    try:
        yield
    finally:
        interrupts.stop()


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

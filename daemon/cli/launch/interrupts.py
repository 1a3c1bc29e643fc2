"""Tells an interrupt that somebody sent to the launcher alone from Ctrl-C, which the terminal sends to the agent too.

Ctrl-C at a terminal reaches every process of the foreground group, so the agent has it already, and the launcher must
only not die of it. `kill -INT` of the launcher reaches nobody else: it is passed on, and because it asks for an end,
an agent that only stops what it is doing is ended a little later with SIGTERM. A signal that the agent, or a program of
its, sends to the whole group is none of the launcher's business.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

SHARED = frozenset({signal.SIGINT, signal.SIGQUIT})
"""The signals that a terminal sends to a whole group."""
CAN_TELL = hasattr(signal, "sigwaitinfo")
"""Whether this system says who sent a signal. macOS does not."""
_FROM_KERNEL = 0x80
"""The code of a signal that the kernel sent by itself, as it does for Ctrl-C; see sigaction(2)."""
_GRACE_SECONDS = 10.0
_STOP_SECONDS = 1.0

Send = Callable[[int], None]


class Interrupts:
    """Waits for the shared signals beside the agent, and passes on those that it has not got by itself."""

    def __init__(self, send: Send, *, grace_seconds: float = _GRACE_SECONDS) -> None:
        self._send = send
        self._grace_seconds = grace_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self.passed_on: signal.Signals | None = None
        """The first interrupt that was for the launcher alone."""
        self.insisted = False
        """The agent went on after it, so SIGTERM was sent."""

    def start(self) -> None:
        """Begin; the shared signals must be blocked in every thread by now."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and return when it has ended."""
        self._over.set()
        # To the process and not to the thread, which may have ended: then the handler takes it, which does nothing.
        os.kill(os.getpid(), signal.SIGINT)
        self._thread.join(_STOP_SECONDS)

    def _wait(self) -> None:
        while not self._over.is_set():
            waits_for_the_end = self.passed_on is not None and not self.insisted
            found = (
                signal.sigtimedwait(SHARED, self._grace_seconds) if waits_for_the_end else signal.sigwaitinfo(SHARED)
            )
            if self._over.is_set():
                return
            if found is None:
                self.insisted = True
                self._send(signal.SIGTERM)
            elif found.si_code != _FROM_KERNEL and not _is_below(found.si_pid, os.getpid()):
                self.passed_on = self.passed_on or signal.Signals(found.si_signo)
                self._send(found.si_signo)


def _is_below(pid: int, ancestor: int) -> bool:
    """Say whether a process was started by another one, or by one of its children; False for one that has ended."""
    while pid > 1:
        try:
            # The name of the program stands in brackets and may hold brackets itself; behind it: state, parent.
            pid = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
        if pid == ancestor:
            return True
    return False


class GuessedInterrupts:
    """Does the same where the system does not say who sent a signal: what no terminal can have sent is passed on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.passed_on: signal.Signals | None = None
        self.insisted = False

    def take(self, number: int, _: FrameType | None) -> None:
        """Handle one signal, in the main thread."""
        if not _is_in_front():
            self.passed_on = self.passed_on or signal.Signals(number)
            self._send(number)


def _is_in_front() -> bool:
    """Say whether Ctrl-C at the terminal would reach this process."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)

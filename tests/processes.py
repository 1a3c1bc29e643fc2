"""Starts daemons and stand-ins for tests: forked from a process that has imported them, or as fresh as can be.

An import of the daemon costs five times what else its start costs, and a run of the tests starts hundreds. A forked one
is a process, a session and a home of its own; only its imports were done before. What acts on a process as it begins
(another environment than that of the tests, a limit, a library loaded first) gets a fresh one without being asked.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parent.parent
_FOR_TESTS_ONLY = ("AILERON_", "PYTEST_")
_lock = threading.Lock()
_servers: dict[int, "_Server"] = {}


class Process(Protocol):
    """A process that a test has started; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int:
        """The number of the process."""
        ...

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send a signal, if it still runs."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


def start_process(
    module: str,
    arguments: Sequence[str] = (),
    *,
    environment: Mapping[str, str],
    output: int,
    errors_too: bool = True,
    fresh: bool = False,
    prefix: Sequence[str] = (),
) -> Process:
    """Run `python -m <module>` in a session of its own, with its standard output, and errors, into a descriptor."""
    if not fresh and not prefix:
        server = _server()
        if server is not None and _beginning(environment) == server.environment:
            return server.fork(module, arguments, environment=environment, output=output, errors_too=errors_too)
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output if errors_too else None,
        start_new_session=True,
    )


class Forked:
    """A process that the server has forked, seen as `subprocess.Popen` would show it."""

    def __init__(self, pid: int, report: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._report = report

    def __del__(self) -> None:
        if self.returncode is None:
            os.close(self._report)

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code."""
        code = self._look(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def send_signal(self, sig: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._report], [], [], timeout)[0]:
            line = os.read(self._report, 32)
            if not line:
                raise AssertionError(f"the server that forked process {self.pid} has ended")
            self.returncode = int(line)
            os.close(self._report)
        return self.returncode


class _Server:
    """The process that forks; one for each process that runs tests, from the first need to the end."""

    def __init__(self) -> None:
        self.environment = _beginning(os.environ)
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.services.forking"],
                cwd=ROOT,
                env=self.environment,
                stdin=theirs,
                start_new_session=True,
            )
        atexit.register(self.close)

    def fork(
        self, module: str, arguments: Sequence[str], *, environment: Mapping[str, str], output: int, errors_too: bool
    ) -> Forked:
        wanted = {
            "module": module,
            "arguments": list(arguments),
            "environment": dict(environment),
            "errors_too": errors_too,
            "folder": str(ROOT),
        }
        report, theirs = os.pipe()
        try:
            socket.send_fds(self._requests, [json.dumps(wanted).encode()], [output, theirs])
        finally:
            os.close(theirs)
        number = b""
        while not number.endswith(b"\n"):
            byte = os.read(report, 1)
            assert byte, "the server that forks has ended; its own words are on stderr"
            number += byte
        return Forked(int(number), report)

    def close(self) -> None:
        self._requests.close()
        self._process.wait(10)


def _server() -> _Server | None:
    """Return the server of this process, started at the first call; None where there cannot be one."""
    if not hasattr(os, "pidfd_open"):
        return None
    with _lock:
        if os.getpid() not in _servers:
            _servers[os.getpid()] = _Server()
        return _servers[os.getpid()]


def _beginning(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a program may look at while it is imported."""
    return {name: value for name, value in environment.items() if not name.startswith(_FOR_TESTS_ONLY)}

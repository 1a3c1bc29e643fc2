"""Starts daemons and stand-ins for tests: forked from a process that has imported them, or as fresh as can be.

An import of the daemon costs five times what else its start costs, and a run of the tests starts hundreds. A forked one
is a process, a session and a home of its own; only its imports were done before, in the same environment. An
environment that comes up for the first time gets a fresh process, from the second time on it has a server that forks.
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
_READ_LATER = ("AILERON_", "PYTEST_", "FAILING_DISK_")
"""What no import and no loader looks at; all else must be the same in the server as in what it forks."""
_lock = threading.Lock()
_servers: dict[frozenset[tuple[str, str]], "Server | None"] = {}


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
    server = None if fresh or prefix else _server(environment)
    if server is not None:
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


class Server:
    """The process that forks, from the first need to the end of the tests."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.services.forking"],
                cwd=ROOT,
                env=dict(environment),
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
        self.process.wait(10)


def _server(environment: Mapping[str, str]) -> Server | None:
    """Return the server for an environment; None at the first time, and where there cannot be one."""
    if not hasattr(os, "pidfd_open"):
        return None
    beginning = {name: value for name, value in environment.items() if not name.startswith(_READ_LATER)}
    # A test may have taken its thread into an empty network: what it starts has to be there, too.
    network = str(Path(f"/proc/self/task/{threading.get_native_id()}/ns/net").readlink())
    key = frozenset([*beginning.items(), ("", network)])
    with _lock:
        if key not in _servers:
            _servers[key] = None
        elif _servers[key] is None:
            _servers[key] = Server(beginning)
        return _servers[key]

"""Starts the daemon if it does not run: once, however many commands need it at the same time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from daemon.base.home import Home
from daemon.base.platform import Fate
from daemon.core.named_errors import about, in_words
from daemon.lifecycle.discovery import Discovery, fate_of_daemon, read_discovery
from daemon.lifecycle.errors import SpawnError
from daemon.lifecycle.lock import FileLock

START_SECONDS = 20.0
STOP_SECONDS = 40.0
_POLL_SECONDS = 0.01
_GRACE_SECONDS = 5.0
_TAIL_LINES = 15
_LAST_WORDS = 64 * 1024
_MUCH_OUTPUT = 2**20
_NOT_HANDED_ON = frozenset({"AILERON_VAULT_PASSPHRASE", "AILERON_TOKEN", "AILERON_SESSION_ID", "AILERON_URL"})
"""What a command may have in its environment and a process that lives for days must not."""


def ensure_daemon(home: Home) -> Discovery:
    """Return the running daemon, starting it if there is none."""
    found = read_discovery(home.discovery_path)
    if found is not None:
        return found
    home.prepare()
    lock = FileLock(home.spawn_lock_path)
    if not lock.acquire(seconds=START_SECONDS):
        raise SpawnError("Another command has been starting the daemon for too long. Try: aileron daemon status")
    try:
        found = read_discovery(home.discovery_path)
        return found if found is not None else _start(home)
    finally:
        lock.release()


def stop_daemon(home: Home, *, seconds: float = STOP_SECONDS) -> bool:
    """Stop the running daemon and wait for its end; say whether there was one."""
    found = read_discovery(home.discovery_path)
    if found is None:
        return False
    if fate_of_daemon(found) is Fate.UNKNOWN:
        # The number could be another process's by now.
        raise SpawnError(
            f"It cannot be told whether process {found.pid} is still the daemon, so nothing was stopped. Try again."
        )
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while fate_of_daemon(found) is not Fate.GONE:
        if time.monotonic() >= deadline:
            raise SpawnError(
                f"The daemon (pid {found.pid}) is still at work after {seconds:.0f} s. It may be stopped hard:"
                f" kill -9 {found.pid}. Interrupted runs are settled at the next start."
            )
        time.sleep(_POLL_SECONDS)
    return True


def _start(home: Home) -> Discovery:
    output = home.logs_dir / "daemon.out"
    with contextlib.suppress(FileNotFoundError):
        if output.stat().st_size > _MUCH_OUTPUT:
            output.unlink()
    with output.open("ab", buffering=0) as log:
        output.chmod(0o600)
        begin = log.tell()
        process = subprocess.Popen(
            # -P: a folder called `daemon` where the person happens to stand must not be what runs.
            [sys.executable, "-P", "-m", "daemon"],
            env={name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
            | {"AILERON_HOME": str(home.path)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = read_discovery(home.discovery_path)
        if found is not None and answers(found.control_url):
            # The daemon outlives this process on purpose. Without this, Python warns when the object is collected.
            process.returncode = 0
            return found
        code = process.poll()
        if code not in {None, 0}:
            said = _tail(output, begin) or _why_it_said_nothing(output)
            raise SpawnError(f"The daemon ended at once (exit code {code}).{said}")
        time.sleep(_POLL_SECONDS)
    _end(process)
    said = _tail(output, begin) or _why_it_said_nothing(output)
    raise SpawnError(f"The daemon did not answer within {START_SECONDS:.0f} s and was stopped again.{said}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    """Say whether a listener of a daemon is in good health."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _why_it_said_nothing(path: Path) -> str:
    """Find out whether the disk takes what a daemon has to say; a full one takes its last words, too."""
    try:
        size = path.stat().st_size
        try:
            with about(path), path.open("ab") as file:
                file.write(b" " * _LAST_WORDS)
                file.flush()
                os.fsync(file.fileno())
        finally:
            os.truncate(path, size)
    except OSError as problem:
        return f" It could not write down why: {in_words(problem)}. Make room, then run the command again."
    return ""


def _tail(path: Path, begin: int) -> str:
    try:
        with path.open(errors="replace") as file:
            file.seek(begin)
            lines = deque(file, _TAIL_LINES)
    except OSError:
        return ""
    return f" Its last words, from {path}:\n{''.join(lines)}" if lines else ""

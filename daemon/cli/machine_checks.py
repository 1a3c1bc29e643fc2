"""What `aileron doctor` looks at around the installation: platform, clock, Docker, and who shares the account."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.lifecycle.discovery import DiscoveryError, read_discovery
from daemon.lifecycle.home import Home
from daemon.lifecycle.platform import is_supported
from daemon.version import VERSION

DOCKER_SOCKET = Path("/var/run/docker.sock")
_CLOCK_SLACK_SECONDS = 120.0
_DOCKER_SECONDS = 2.0

Check = dict[str, Any]


def machine_checks(home: Home, *, docker: Path = DOCKER_SOCKET) -> Iterator[Check]:
    """Yield each check with its result and remedy."""
    yield _platform()
    yield _clock(home)
    yield from _old_daemon(home)
    yield _docker(docker)
    yield _check(
        "agents",
        "warning",
        "An agent that you start yourself runs as you: it can read the daemon's files and decide in your name.",
        "Trust such an agent as you trust yourself; docs/security.md says what is covered.",
    )


def _check(name: str, status: str, message: str, remedy: str = "") -> Check:
    return {"name": name, "status": status, "message": message, "remedy": remedy}


def _platform() -> Check:
    if is_supported():
        return _check("platform", "ok", f"{sys.platform} with Python {sys.version.split()[0]}.")
    return _check("platform", "failed", f"{sys.platform} is not supported.", "Use Linux, macOS, or WSL 2 on Windows.")


def _clock(home: Home) -> Check:
    """Compare the clock with the newest time the installation has seen: a clock that went back breaks every expiry."""
    now = time.time_ns() / 1e9
    seen = [path.stat().st_mtime for path in (home.database_path, home.vault_path) if path.exists()]
    ahead = max(seen, default=now) - now
    if ahead <= _CLOCK_SLACK_SECONDS:
        return _check("clock", "ok", "The clock is not behind what this installation has seen.")
    return _check(
        "clock",
        "failed",
        f"The clock is {ahead / 60:.0f} minutes behind the last change of {home.path}.",
        "Set the clock: approvals and tokens would live too long, and the log would go back in time.",
    )


def _old_daemon(home: Home) -> Iterator[Check]:
    try:
        found = read_discovery(home.discovery_path)
    except (DiscoveryError, OSError):
        return  # said by the checks of the home and of the discovery file
    if found is not None and found.version != VERSION:
        yield _check(
            "daemon version",
            "warning",
            f"The running daemon is {found.version}, this program is {VERSION}.",
            "Run: aileron stop. The next command starts the new one.",
        )


def _docker(path: Path) -> Check:
    """Ask the engine whether it is there; nothing of this version needs it, the sandbox will."""
    try:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(_DOCKER_SECONDS)
            engine.connect(str(path))
            engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            if b" 200 " in engine.recv(256):
                return _check("docker", "ok", "A Docker engine answers.")
    except OSError:
        pass
    return _check(
        "docker",
        "warning",
        "No Docker engine answers. Nothing of this version needs one; the sandbox will.",
        "Install and start Docker before you use a sandbox.",
    )

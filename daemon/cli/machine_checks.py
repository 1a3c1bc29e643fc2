"""What `aileron doctor` looks at around the installation: machine, program, Docker, and who shares the account."""

import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.base.clock import SystemClock
from daemon.base.home import Home
from daemon.lifecycle import checks

DOCKER_SOCKET = Path("/var/run/docker.sock")
_DOCKER_SECONDS = 2.0

Check = dict[str, Any]


def machine_checks(home: Home, *, docker: Path = DOCKER_SOCKET) -> Iterator[Check]:
    """Yield each check with its result and remedy."""
    yield from (asdict(check) for check in checks.machine_checks(home, clock=SystemClock()))
    yield _docker(docker)
    yield _check(
        "agents",
        "warning",
        "An agent that you start yourself runs as you: it can read the daemon's files and decide in your name.",
        "Trust such an agent as you trust yourself; docs/security.md says what is covered.",
    )


def _check(name: str, status: str, message: str, remedy: str = "") -> Check:
    return {"name": name, "status": status, "message": message, "remedy": remedy}


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

"""What `aileron doctor` looks at around the installation: machine, program, Docker, and who shares the account."""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.base.clock import SystemClock
from daemon.base.home import Home
from daemon.base.platform import docker_socket
from daemon.base.settings import SettingsError, load_settings
from daemon.lifecycle import checks

_DOCKER_SECONDS = 2.0

Check = dict[str, Any]


def machine_checks(home: Home, *, docker: Path | None = None) -> Iterator[Check]:
    """Yield each check with its result and remedy; the engine is the one that sandboxes use, if none is named."""
    yield from (asdict(check) for check in checks.machine_checks(home, clock=SystemClock()))
    yield _docker(_configured(home) if docker is None else docker)
    yield _check(
        "agents",
        "warning",
        "An agent that you start yourself runs as you: it can read the daemon's files and decide in your name.",
        "Trust such an agent as you trust yourself; docs/security.md says what is covered.",
    )


def _check(name: str, status: str, message: str, remedy: str = "") -> Check:
    return {"name": name, "status": status, "message": message, "remedy": remedy}


def _configured(home: Home) -> Path:
    """Return the engine's socket as the daemon finds it; settings that cannot be read are a check of their own."""
    named = None
    with contextlib.suppress(SettingsError, OSError):
        named = load_settings(home).sandbox.docker_socket
    return docker_socket(named, os.environ)


def _docker(path: Path) -> Check:
    """Ask the engine whether it is there; what it is good for is for the daemon to say."""
    try:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(_DOCKER_SECONDS)
            engine.connect(str(path))
            engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            if b" 200 " in engine.recv(256):
                return _check("docker", "ok", f"A Docker engine answers at {path}.")
    except OSError:
        pass
    return _check(
        "docker",
        "warning",
        f"No Docker engine answers at {path}. Only sandboxes need one.",
        "Install and start Docker before you use a sandbox, or correct [sandbox] docker_socket.",
    )

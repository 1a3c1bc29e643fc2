"""Remembers on which ports a home's daemon listened, so that the next one is found where the last one was.

What was launched before a restart holds the address of the agent API in its environment, and cannot be told another.
"""

import contextlib
import json
from pathlib import Path

from daemon.base.files import replace_file
from daemon.lifecycle.bounds import ListenerBounds
from daemon.lifecycle.listeners import Listener, ListenError


def listen(path: Path, *, name: str, wanted: int, bounds: ListenerBounds) -> Listener:
    """Open a listener: on the port that was asked for, or else on the last one, or else on any."""
    if wanted:
        return Listener(port=wanted, bounds=bounds)
    remembered = _read(path).get(name, 0)
    if remembered:
        # Somebody else may have taken it meanwhile.
        with contextlib.suppress(ListenError):
            return Listener(port=remembered, bounds=bounds)
    return Listener(port=0, bounds=bounds)


def remember(path: Path, **ports: int) -> None:
    """Write the ports down; a disk that does not take them is no reason not to run."""
    with contextlib.suppress(OSError):
        replace_file(path, json.dumps(ports).encode(), durable=False)


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: port for name, port in found.items() if type(port) is int and 0 < port < 65536}

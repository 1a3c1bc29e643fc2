"""A home whose daemon has servers."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from world import World


class ServedWorld(World):
    """An installation with servers in its `servers.yaml`, by name and command."""

    def __init__(self, folder: Path, servers: dict[str, Sequence[str]], *, upstream: str, settings: str = "") -> None:
        super().__init__(folder, upstream=upstream, settings=settings)
        entries = [{"name": name, "command": list(command)} for name, command in servers.items()]
        file = {"version": "1", "downstream_servers": entries}
        (self.home / "servers.yaml").write_text(json.dumps(file))  # JSON is YAML, too

    def look(self, token: str, name: str) -> None:
        """Wait until a tool of a server is listed; the first listing begins the look at its server."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            listed = self.agent("GET", "/v1/tools", token=token).json()["items"]
            if any(tool["name"] == name for tool in listed):
                return
            time.sleep(0.02)
        raise AssertionError(f"{name} is not listed: {[tool['name'] for tool in listed]}")

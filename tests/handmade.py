"""A workspace made by hand in the home of a running daemon: what an agent would have written, without an engine."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from world import World

from daemon.base.clock import Clock
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.site import survey
from daemon.workspaces.values import Way


class _Clock(Clock):
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Handmade:
    """A folder of the person's, and an overlay over it, as the kernel would leave it."""

    def __init__(self, world: World, folder: Path, session: str, files: Mapping[str, str]) -> None:
        self.world = world
        self.session = session
        self.folder = folder
        folder.mkdir()
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        time.sleep(0.05)  # the kernel's clock for files goes in steps; what was changed in the last one is not known
        self.layers = Layers(world.home / "workspaces", clock=_Clock())
        site = survey(folder, OffLimits(homes=(), person=Path("/nonexistent")))
        layer = self.layers.create(session, site, agent="codex", label="", way=Way.OVERLAY, user="1000:1000")
        site.close()
        self.upper = layer.upper(layer.work)

    def wrote(self, path: str, content: str) -> None:
        """Let the agent have written a file."""
        place = self.upper / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def deleted(self, path: str) -> None:
        """Let the agent have deleted a file, as the kernel marks it."""
        os.mknod(self.upper / path, 0o20000, 0)

    def ended(self) -> None:
        """Let the agent have ended."""
        assert self.layers.end(self.session) is not None

    def here(self) -> list[str]:
        """Return what the person has."""
        return sorted(str(each.relative_to(self.folder)) for each in self.folder.rglob("*") if each.is_file())

    def contents(self) -> dict[str, str]:
        """Return what the person has, with what is in it."""
        return {path: (self.folder / path).read_text() for path in self.here()}

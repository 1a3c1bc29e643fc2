"""A person's machine in a temporary folder: their home, a project in it, a home of Aileron."""

import os
import subprocess
from pathlib import Path

import pytest

from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.off_limits import OffLimits


class SetClock:
    """A clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


class Machine:
    """Folders, and what no agent may get of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.person = folder / "people" / "me"
        self.project = self.person / "project"
        self.home = self.person / ".aileron"
        self.project.mkdir(parents=True)
        self.home.mkdir()
        self.off_limits = OffLimits(homes=(self.home,), person=self.person)
        self.clock = SetClock()

    def git(self, *arguments: str, at: Path | None = None) -> str:
        """Run git as the person does, with nothing of this machine's configuration."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.person),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _ME.items()},
        }
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(
            command, cwd=at or self.project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def repository(self, at: Path | None = None) -> Path:
        """Make a repository with one commit."""
        place = at or self.project
        place.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main", at=place)
        (place / "file").write_text("one\n")
        self.git("add", ".", at=place)
        self.git("commit", "-q", "-m", "first", at=place)
        return place


_ME = {"NAME": "Me", "EMAIL": "me@example.com"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Offer a machine."""
    return Machine(tmp_path)


@pytest.fixture
def layers(machine: Machine) -> Layers:
    """Offer the layers of its home."""
    return Layers(machine.home / "workspaces", clock=machine.clock)

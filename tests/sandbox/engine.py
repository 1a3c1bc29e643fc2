"""The command line with a workspace, and what is in the engine."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker
from world import ROOT, World

USER = 1000
SHORTLY = {"AILERON_SANDBOX__READY_SECONDS": "500ms"}
"""What is kept ready for the next launch goes soon, because after each test nothing of ours may be there."""
COMMAND = "from daemon.cli.main import main; main()"


class Shell:
    """Runs `aileron` for one world, in a workspace that belongs to an ordinary user."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.workspace = folder / "project"
        self.workspace.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.workspace, USER, USER)

    def environment(self, **variables: str) -> dict[str, str]:
        """Return what a person's shell would hold."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
        return kept | {"AILERON_HOME": str(self.world.home), "PYTHONPATH": str(ROOT)} | variables

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        """Start a command and wait for nothing."""
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=self.workspace,
            env=self.environment(),
            text=True,
            start_new_session=True,
            **given | options,
        )

    def run(self, *arguments: str, seconds: float = 60, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        process = self.start(*arguments, **options)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not end: {out}\n{err}") from None
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def inside(self, *command: str, options: tuple[str, ...] = (), seconds: float = 60) -> Any:
        """Run a program of the image in place of an agent."""
        return self.run(*self.words(*command, options=options), seconds=seconds)

    def words(self, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        """Return the arguments of such a launch."""
        return ["launch", "--sandbox", *options, "--program", command[0], "codex", "--", *command[1:]]


def engine() -> "docker.APIClient":
    """Return the engine."""
    return docker.APIClient(version="auto")


def anchor_of(client: "docker.APIClient", seen: dict[str, Any]) -> dict[str, Any]:
    """Return the container that holds the network of another one."""
    return dict(client.inspect_container(seen["HostConfig"]["NetworkMode"].removeprefix("container:")))


def place_of(seen: dict[str, Any]) -> dict[str, Any]:
    """Return where the sandbox is in its network: its address, and the gateway's."""
    client = engine()
    try:
        (place,) = anchor_of(client, seen)["NetworkSettings"]["Networks"].values()
        return dict(place)
    finally:
        client.close()


def spoil(rules: Path) -> None:
    """Make the rules of a network useless, once they are written and before their helper has read them."""
    deadline = time.monotonic() + 20
    while not rules.read_text().endswith("}\n"):
        assert time.monotonic() < deadline
    rules.write_text("this is no rule\n")


def left_behind() -> list[str]:
    """Return every container, network and volume that is labelled as ours."""
    client = engine()
    mine = {"label": "io.aileron.home"}
    try:
        found = [f"container {each['Names']}" for each in client.containers(all=True, filters=mine)]
        found += [f"network {each['Name']}" for each in client.networks(filters=mine)]
        found += [f"volume {each['Name']}" for each in client.volumes(filters=mine)["Volumes"] or []]
    finally:
        client.close()
    return found

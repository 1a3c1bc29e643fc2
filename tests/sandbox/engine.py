"""The command line with a workspace, and what is in the engine."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
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

    def written(self, ended: "subprocess.CompletedProcess[str]") -> Path:
        """Return the folder with what an agent wrote whose launch has ended."""
        found = re.search(r"Session (\w{8}) ended", ended.stderr)
        assert found is not None, ended.stderr
        [layer] = (self.world.home / "workspaces").glob(f"*{found[1]}")
        return layer / "work" / "upper"

    def words(self, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        """Return the arguments of such a launch."""
        return ["launch", "--sandbox", *options, "--program", command[0], "codex", "--", *command[1:]]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a sandbox ended that was started over the API."""

    session: str
    code: int
    out: str
    err: str
    outcome: dict[str, Any]
    notes: list[str]


def start_inside(world: World, folder: Path, script: str, **wanted: Any) -> dict[str, Any]:
    """Start a shell script in a sandbox."""
    body = {"agent": "codex", "command": ["sh", "-c", script], "workspace": str(folder), "environment": {}}
    return dict(world.ok("POST", "/v1/sandboxes", body | wanted))


def end_of(world: World, started: dict[str, Any]) -> Ran:
    """Read what a sandbox says to its end."""
    answer = world.control("GET", f"/v1/sandboxes/{started['id']}/output")
    said = {1: b"", 2: b"", 3: b""}
    rest = answer.content
    while rest:
        length = int.from_bytes(rest[1:5], "big")
        said[rest[0]] += rest[5 : 5 + length]
        rest = rest[5 + length :]
    outcome = json.loads(said[3])
    return Ran(started["id"], int(outcome["code"]), said[1].decode(), said[2].decode(), outcome, list(started["notes"]))


def run_inside(world: World, folder: Path, script: str, **wanted: Any) -> Ran:
    """Run a shell script in a sandbox to its end."""
    return end_of(world, start_inside(world, folder, script, **wanted))


def own_everything(folder: Path) -> None:
    """Give a folder to an ordinary user."""
    if os.geteuid() == 0:
        for place in (folder, *folder.rglob("*")):
            os.chown(place, USER, USER, follow_symlinks=False)


def listing(folder: Path) -> dict[str, bytes | str | None]:
    """Return everything in a folder, to compare it with later."""
    return {
        str(place.relative_to(folder)): str(place.readlink())
        if place.is_symlink()
        else place.read_bytes()
        if place.is_file()
        else None
        for place in sorted(folder.rglob("*"))
    }


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

"""A hostile agent in a sandbox tries everything it can; each attempt must come to nothing, and is a row in the docs."""

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from promises.test_promise_2_asker_cannot_approve import AGENT_ROUTES, filled, routes_of
from sandbox.engine import Shell, engine, listing, own_everything, place_of, run_inside
from world import API_KEY, PASSPHRASE, ROOT, World

pytestmark = [pytest.mark.docker, pytest.mark.slow]
KNOCKED_AT = 8123
ABSTRACT = "aileron-test-abstract-socket"
LIVE = "protected paths:"
"""How the attempts are called that concern only an agent that works on the folder itself."""


@pytest.fixture(scope="module")
def tried(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Let it try everything once; return what it achieved."""
    folder = tmp_path_factory.mktemp("hostile")
    folder.chmod(0o755)
    shell, other = Shell(world, folder), Shell(world, tmp_path_factory.mktemp("other"))
    subprocess.run(["git", "init", "-q", str(shell.workspace)], check=True)
    (shell.workspace / ".envrc").write_text("export MINE=1\n")
    (shell.workspace / ".vscode").mkdir()
    (shell.workspace / ".vscode" / "tasks.json").write_text("{}\n")
    (folder / "sibling").write_text("not yours")
    secret = folder / "secret-of-the-host"
    secret.write_text("not yours either")
    secret.chmod(0o666)
    with (
        socket.create_server(("0.0.0.0", 0)) as opened,  # noqa: S104 - a service of the host that listens everywhere
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind("\0" + ABSTRACT)
        abstract.listen()
        neighbour = other.start(*other.words("sleep", "600"))
        theirs = wait_for_container(world)
        _, other_token = world.session(kind="host")
        asked = world.agent(
            "POST", "/v1/actions/ask-first/run", {"arguments": arguments(world)}, token=other_token
        ).json()
        network = place_of(theirs)
        routes = routes_of(world.ok("GET", "/openapi.json")) - AGENT_ROUTES
        known = {"approval": asked["approval_id"], "session": "ses_x"}
        given = {
            "open_port": opened.getsockname()[1],
            "control_port": int(world.control_url.rsplit(":", 1)[1]),
            "agent_port": int(world.agent_url.rsplit(":", 1)[1]),
            "host_address": host_address(),
            "other_gateway": network["Gateway"],
            "other_port": int(json.loads(start_file(world))["port"]),
            "other_container": network["IPAddress"],
            "approval": asked["approval_id"],
            "other_token": other_token,
            "control_routes": sorted((method, filled(path, known)) for method, path in routes),
            "protected": [],
            "host_file": str(secret),
            "sibling": "sibling",
            "knocked_at": KNOCKED_AT,
            "abstract_socket": ABSTRACT,
            "secrets": [API_KEY, PASSPHRASE, world.discovery["token"], str(world.home)],
        }
        for name in ("hostile.py", "given.json"):
            place = shell.workspace / name
            if name == "hostile.py":
                shutil.copy(Path(__file__).with_name(name), place)
            else:
                place.write_text(json.dumps(given))
        own_everything(shell.workspace)
        before = listing(shell.workspace)
        with Knocking(world, neighbour=theirs["Id"]) as knocking:
            ended = shell.inside(
                "aileron-python",
                "/workspace/hostile.py",
                "/workspace/given.json",
                options=("--land", "never"),
                seconds=240,
            )
        after = listing(shell.workspace)
        written = listing(shell.written(ended))
        neighbour.terminate()
        neighbour.communicate(timeout=30)
        state = world.ok("GET", f"/v1/approvals/{asked['approval_id']}")["state"]
    assert ended.returncode == 0, ended.stderr
    return {
        "found": json.loads(ended.stdout.splitlines()[-1]),
        "before": before,
        "after": after,
        "written": written,
        "approval": state,
        "secret": secret.read_text(),
        "routes": given["control_routes"],
        "knocks": knocking.knocks,
        "answered": knocking.answered,
    }


class Knocking:
    """Tries to reach a port of the newest sandbox from this machine, for as long as it lives."""

    def __init__(self, world: World, *, neighbour: str) -> None:
        self.knocks = 0
        self.answered = 0
        self._world = world
        self._neighbour = neighbour
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            items = self._world.ok("GET", "/v1/sandboxes")["items"]
            ready = [item for item in items if item["ready"] and not self._neighbour.startswith(item["container"])]
            if ready:
                client = engine()
                seen = client.inspect_container(f"aileron-{ready[0]['id']}")
                client.close()
                self._knock(place_of(seen))

    def _knock(self, place: dict[str, Any]) -> None:
        address, from_here = (place["IPAddress"], KNOCKED_AT), (place["Gateway"], 0)
        # From our end of its network: when that is gone, nobody else shall answer in its place.
        while not self._over.wait(0.02):
            self.knocks += 1
            with (
                contextlib.suppress(OSError),
                socket.create_connection(address, timeout=0.3, source_address=from_here),
            ):
                self.answered += 1


def arguments(world: World) -> dict[str, str]:
    return {"url": f"{world.upstream}/item", "body": "{}"}


def wait_for_container(world: World) -> dict[str, Any]:
    """Return what the engine says of the one agent that runs."""
    deadline = time.monotonic() + 30
    client = engine()
    try:
        while True:
            ready = [item for item in world.ok("GET", "/v1/sandboxes")["items"] if item["ready"]]
            if ready:
                return dict(client.inspect_container(f"aileron-{ready[0]['id']}"))
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        client.close()


def start_file(world: World) -> str:
    (path,) = (world.home / "sandboxes").glob("*/run/start.json")
    return path.read_text()


def host_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def test_nothing_it_tries_comes_to_anything(tried: dict[str, Any]) -> None:
    achieved = {name: each["achieved"] for name, each in tried["found"].items() if each["achieved"]}
    assert achieved == {}
    assert len(tried["found"]) >= 60


def test_it_cannot_be_reached_from_the_host(tried: dict[str, Any]) -> None:
    assert tried["knocks"] > 10
    assert tried["answered"] == 0


def test_every_attempt_was_stopped_by_what_should_stop_it(tried: dict[str, Any]) -> None:
    # An attempt that fails because its own code is wrong proves nothing.
    for name, each in tried["found"].items():
        stopped = each["stopped_by"]
        assert not stopped.startswith(
            ("NameError", "TypeError", "AttributeError", "KeyError", "ValueError", "IndexError")
        ), (
            name,
            stopped,
        )
    assert len(tried["routes"]) > 35


def test_each_attempt_is_a_row_in_the_docs(tried: dict[str, Any], tried_live: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    missing = [name for name in tried["found"] if f"| {name} |" not in text]
    assert missing == []
    rows = text.partition("## What a hostile agent in a sandbox tried")[2].partition("\n## ")[0]
    named = {line.split("|")[1].strip() for line in rows.splitlines() if line.startswith("| ")} - {"what it tried"}
    assert named == set(tried["found"]) | set(tried_live["found"])


def test_the_workspace_and_the_host_are_as_they_were(tried: dict[str, Any]) -> None:
    assert tried["after"] == tried["before"]
    # It did write all of it: into its layer.
    for path in (".git/hooks/pre-commit", ".git/config", ".envrc", ".vscode/tasks.json", "HEAD", "vendor/.git/config"):
        assert path in tried["written"], path
    assert tried["secret"] == "not yours either"
    assert tried["approval"] == "pending"


PROTECTED = (".git/config", ".git/hooks", ".git/info", ".envrc", ".vscode", "sub/.envrc", "vendor/.git")
"""What is in the folder of the agent that works on the folder itself, and is held there."""


@pytest.fixture(scope="module")
def tried_live(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Let it try what is held in a folder that it works on itself."""
    folder = tmp_path_factory.mktemp("live") / "project"
    (folder / ".vscode").mkdir(parents=True)
    (folder / "sub").mkdir()
    for repository in (folder, folder / "vendor"):
        subprocess.run(["git", "init", "-q", str(repository)], check=True)
    for name in (".envrc", ".vscode/tasks.json", "sub/.envrc"):
        (folder / name).write_text("mine\n")
    shutil.copy(Path(__file__).with_name("hostile.py"), folder)
    given = {"only": LIVE, "protected": [f"/workspace/{path}" for path in PROTECTED]}
    (folder / "given.json").write_text(json.dumps(given))
    own_everything(folder)
    before = listing(folder)
    script = "exec aileron-python /workspace/hostile.py /workspace/given.json"
    ran = run_inside(world, folder, script, workspace_way="live")
    assert ran.code == 0, ran.err
    return {"found": json.loads(ran.out.splitlines()[-1]), "before": before, "after": listing(folder)}


def test_what_is_held_in_a_folder_it_works_on_itself_cannot_be_changed(tried_live: dict[str, Any]) -> None:
    assert {name: each["achieved"] for name, each in tried_live["found"].items() if each["achieved"]} == {}
    assert len(tried_live["found"]) >= 10
    after = {name: what for name, what in tried_live["after"].items() if name in tried_live["before"]}
    assert after == tried_live["before"]

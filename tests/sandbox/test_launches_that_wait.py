"""What takes its time before an agent starts: two launches share a build, and Ctrl-C leaves nothing behind."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.engine import Shell, engine, listing
from sandbox.test_own_containers import given, remove_built
from waiting import wait_until
from world import World

pytestmark = pytest.mark.docker

STEP = "while [ ! -e /go ]; do sleep 0.1; done; rm /go"


def building() -> list[str]:
    """Return the containers in which the step is run that the test ends."""
    client = engine()
    found = [str(each["Id"]) for each in client.containers() if "! -e /go" in each["Command"]]
    client.close()
    return found


def let_it_end(container: str) -> None:
    client = engine()
    client.exec_start(client.exec_create(container, ["touch", "/go"])["Id"])
    client.close()


def newest(world: World) -> str:
    return str(world.ok("GET", "/v1/sessions")["items"][0]["id"])


@pytest.fixture
def said(tmp_path: Path) -> Iterator[list[Path]]:
    """Offer files for what launches write beside their answers, which is read while they run."""
    yield [tmp_path / "first", tmp_path / "second"]
    remove_built()


def test_a_second_launch_waits_for_the_build_of_the_first_and_shows_it(shell: Shell, said: list[Path]) -> None:
    given(shell, {"build": {"dockerfile": "Dockerfile"}}, f"FROM debian:bookworm-slim\nRUN {STEP}\n")
    words = shell.words("echo", "it runs", options=("--devcontainer",))
    launches: list[subprocess.Popen[str]] = []
    for path in said:
        with path.open("w") as file:
            launches.append(shell.start(*words, stderr=file))
        wait_until(lambda: bool(building()))
    wait_until(lambda: "Another launch has been building it" in said[1].read_text())
    [container] = building()
    let_it_end(container)
    for launch in launches:
        out, _ = launch.communicate(timeout=60)
        assert (launch.returncode, out.splitlines()[:1]) == (0, ["it runs"]), [path.read_text() for path in said]
    assert "Another launch" not in said[0].read_text()
    client = engine()
    assert len(client.images("aileron-own")) == 1
    client.close()


def test_ctrl_c_while_a_sandbox_starts_leaves_nothing_behind_and_says_so(shell: Shell, world: World) -> None:
    (shell.workspace / "mine").write_text("mine")
    before = listing(shell.workspace)
    known = {item["session"] for item in world.ok("GET", "/v1/workspaces")["items"]}
    client = engine()
    # The engine says itself when it makes the agent's container: the sandbox is half there then, and not started.
    made = client.events(filters={"event": "create", "label": "io.aileron.role=agent"}, decode=True)
    launch = shell.start(*shell.words("sh", "-c", "echo started > started; sleep 60"))
    pressing = threading.Thread(target=lambda: next(iter(made)) and launch.send_signal(signal.SIGINT))
    pressing.start()
    out, err = launch.communicate(timeout=60)
    pressing.join(20)
    made.close()
    client.close()
    assert (launch.returncode, out) == (130, "")
    assert listing(shell.workspace) == before
    started = world.events(type="sandbox.started", session=newest(world))
    if started:
        # The request goes on without the command, so it may come too late; then it says so, and that the agent ended.
        assert "the agent had just been started, and was ended" in err
        known.add(newest(world))
    else:
        assert "stopped: no agent was started, and your folder is as it was" in err
    # The daemon goes on removing when the command has ended.
    wait_until(lambda: world.ok("GET", "/v1/sandboxes")["items"] == [])
    wait_until(lambda: {item["session"] for item in world.ok("GET", "/v1/workspaces")["items"]} <= known)
    wait_until(lambda: list((world.home / "sandboxes").glob("*/run")) == [])
    sessions = world.ok("GET", "/v1/sessions")["items"]
    assert [item["label"] for item in sessions if item["kind"] == "sandbox" and item["ended_at"] is None] == []

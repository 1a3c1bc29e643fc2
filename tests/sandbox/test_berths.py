"""What is made ahead of a launch: taken by the next one, gone when nobody comes, never open, and never left behind."""

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox.engine import Shell, engine, left_behind, spoil
from services.upstream import UpstreamProcess
from world import World

pytestmark = pytest.mark.docker
READY = "AILERON_SANDBOX__READY_SECONDS"


@pytest.fixture
def warm(tmp_path: Path, upstream: UpstreamProcess, images: dict[str, str]) -> Iterator[World]:
    """Offer an installation that keeps a berth ready for as long as it runs."""
    folder = tmp_path / "world"
    folder.mkdir()
    with World(folder, upstream=upstream.url, **{READY: "1h"}) as world:
        world.start()
        yield world
        world.stop()


@pytest.fixture
def here(warm: World, tmp_path: Path) -> Shell:
    """Offer its command line."""
    return Shell(warm, tmp_path)


def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for something, and return it."""
    deadline = time.monotonic() + seconds
    while not (seen := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return seen


def anchors() -> list[dict[str, Any]]:
    """Return the containers that hold a network, running ones only."""
    client = engine()
    try:
        return list(client.containers(filters={"label": "io.aileron.role=anchor"}))
    finally:
        client.close()


def spare() -> str:
    """Return the session of the one berth there is, once it is closed."""

    def ready() -> str | None:
        client = engine()
        try:
            helpers = client.containers(all=True, filters={"label": "io.aileron.role=firewall"})
            found = client.containers(filters={"label": "io.aileron.role=anchor"})
            return found[0]["Labels"]["io.aileron.session"] if len(found) == 1 and not helpers else None
        finally:
            client.close()

    return str(until(ready))


def launched(shell: Shell) -> str:
    """Launch something short; return its session."""
    ended = shell.inside("true", options=("--json",))
    assert ended.returncode == 0, ended.stderr
    return str(json.loads(ended.stderr.splitlines()[-1])["session"])


def test_the_next_launch_takes_the_berth_that_is_ready(here: Shell) -> None:
    first = launched(here)
    waiting = spare()
    assert waiting != first
    assert launched(here) == waiting
    assert spare() not in {first, waiting}


def test_launches_at_the_same_time_have_berths_of_their_own(here: Shell) -> None:
    launched(here)
    spare()
    # All of them in one folder, so that what one gives back there another one is about to hold.
    with ThreadPoolExecutor(3) as threads:
        sessions = list(threads.map(lambda _: launched(here), range(15)))
    assert len(set(sessions)) == 15
    assert list(here.workspace.iterdir()) == []
    spare()


def test_a_berth_that_nobody_takes_goes(warm: World, here: Shell) -> None:
    warm.stop()
    warm.start(**{READY: "5s"})
    launched(here)
    spare()
    until(lambda: not left_behind(), 10)
    until(lambda: not list((warm.home / "sandboxes").iterdir()))


def test_a_berth_that_is_off_is_not_made(warm: World, here: Shell) -> None:
    warm.stop()
    warm.start(**{READY: "0s"})
    launched(here)
    assert left_behind() == []


def test_in_a_berth_that_waits_nobody_is_at_home_and_nothing_else_can_be_reached(warm: World, here: Shell) -> None:
    launched(here)
    session = spare()
    authority = ssl.create_default_context(cafile=warm.home / "sandboxes" / session / "run" / "ca.pem")
    authority.check_hostname = True
    client = engine()
    try:
        (network,) = client.networks(filters={"label": f"io.aileron.session={session}"})
        address = network["IPAM"]["Config"][0]["Gateway"]
        rules = (warm.home / "sandboxes" / session / "run" / "rules.nft").read_text()
    finally:
        client.close()
    port = int(rules.partition("tcp dport ")[2].split()[0])
    for path in ("/healthz", "/v1/actions", "/v1/sandbox/lifeline"):
        answer = httpx.get(f"https://{address}:{port}{path}", verify=authority, trust_env=False)
        assert (answer.status_code, answer.text) == (503, "No sandbox is behind this listener yet.")
    assert warm.ok("GET", "/v1/sandboxes")["items"] == []
    assert session not in json.dumps(warm.ok("GET", "/v1/sessions"))


def test_a_berth_whose_anchor_has_died_is_made_anew(here: Shell) -> None:
    launched(here)
    session = spare()
    subprocess.run(["docker", "kill", anchors()[0]["Id"]], check=True, capture_output=True)
    assert launched(here) == session


def test_a_berth_whose_network_somebody_removed_is_made_anew(here: Shell) -> None:
    launched(here)
    session = spare()
    subprocess.run(["docker", "rm", "--force", anchors()[0]["Id"]], check=True, capture_output=True)
    subprocess.run(["docker", "network", "rm", f"aileron-{session}"], check=True, capture_output=True)
    assert launched(here) == session


def test_a_berth_that_could_not_be_closed_is_never_used(warm: World, here: Shell) -> None:
    process = here.start(*here.words("sleep", "3"))
    rules: set[Path] = set()
    deadline = time.monotonic() + 30
    while len(rules) < 2:  # of the launch, and of what is made ahead for the next
        assert time.monotonic() < deadline
        new = set((warm.home / "sandboxes").glob("*/run/rules.nft")) - rules
        if rules and new:
            spoil(new.pop())
            break
        rules |= new
    process.communicate(timeout=30)
    until(lambda: list((warm.home / "sandboxes").iterdir()) == [])
    reach = "import socket; socket.create_connection(('1.1.1.1', 53), 2)"
    refused = here.inside("aileron-python", "-c", reach)
    assert refused.returncode == 1
    assert "Connection refused" in refused.stderr, refused.stderr
    log = (warm.home / "logs" / "daemon.jsonl").read_text()
    assert "a berth could not be made" in log


def test_a_sandbox_whose_network_goes_away_ends(warm: World, here: Shell) -> None:
    process = here.start(*here.words("sleep", "600"))
    (item,) = until(lambda: [each for each in warm.ok("GET", "/v1/sandboxes")["items"] if each["ready"]])
    subprocess.run(["docker", "kill", f"aileron-{item['id']}-network"], check=True, capture_output=True)
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "its network went away" in err


def test_when_the_daemon_is_killed_no_anchor_runs_on(warm: World, here: Shell) -> None:
    launched(here)
    spare()
    warm.kill()
    until(lambda: not anchors())
    warm.start()
    until(lambda: not left_behind())


def test_when_the_daemon_stops_nothing_is_ready_any_more(warm: World, here: Shell) -> None:
    launched(here)
    spare()
    warm.stop()
    assert left_behind() == []
    warm.start()


def test_images_can_be_removed_while_a_berth_is_ready(here: Shell) -> None:
    launched(here)
    spare()
    assert here.run("sandbox", "prune").returncode == 0
    assert left_behind() == []


def test_an_open_network_is_never_made_ahead(warm: World, here: Shell) -> None:
    ended = here.inside("true", options=("--network", "open", "--json"))
    assert ended.returncode == 0, ended.stderr
    assert left_behind() == []
    launched(here)
    waiting = spare()
    ended = here.inside("true", options=("--network", "open", "--json"))
    assert json.loads(ended.stderr.splitlines()[-1])["session"] != waiting
    assert warm.ok("GET", "/v1/sandboxes")["items"] == []

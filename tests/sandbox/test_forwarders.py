"""Where the gateway of a network is not this machine: a forwarder carries what is said to the daemon, and nothing else.

The engine here is of the usual kind; the settings have it treated as the others. What Docker Desktop itself does
between its machine and this one is all that is not in these tests.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox.engine import SHORTLY, Shell, engine
from sandbox.test_hostile_agent import wait_for_container
from services.upstream import UpstreamProcess
from world import World

pytestmark = pytest.mark.docker
CALL = """
import json, os, ssl, urllib.request
context = ssl.create_default_context(cafile=os.environ["AILERON_CA_FILE"])
head = {"Authorization": "Bearer " + os.environ["AILERON_TOKEN"], "Content-Type": "application/json"}
body = json.dumps({"arguments": {"url": os.environ["ITEM"], "body": "{}"}}).encode()
url = os.environ["AILERON_URL"] + "/v1/actions/post-item/run"
print(urllib.request.urlopen(urllib.request.Request(url, body, head), context=context).read().decode())
"""
TRY = """
import socket, sys
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        print(place, "reached")
    except OSError as problem:
        print(place, "no")
"""


@pytest.fixture(scope="module", params=["socket", "host"])
def other(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    upstream: UpstreamProcess,
    images: dict[str, str],
) -> Iterator[World]:
    """Offer an installation that treats its engine as one of the other kinds."""
    # A deep folder: the name of a socket has 107 bytes at most.
    folder = tmp_path_factory.mktemp("w" * 100)
    reach = {"AILERON_SANDBOX__REACH": request.param}
    with World(folder, upstream=upstream.url, **SHORTLY, **reach) as world:
        world.start()
        world.set_up()
        world.add_action("post-item")
        yield world
        world.stop()


@pytest.fixture
def there(other: World, tmp_path: Path) -> Shell:
    """Offer its command line."""
    return Shell(other, tmp_path)


def test_an_action_runs_through_the_forwarder(other: World, there: Shell) -> None:
    item = ("--env", f"ITEM={other.upstream}/item")
    ended = there.inside("aileron-python", "-c", CALL, options=item)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["result"]["body"] == {"ok": True}, ended.stdout


def test_nothing_but_the_forwarder_s_one_port_is_reached(other: World, there: Shell) -> None:
    process = there.start(*there.words("sleep", "600"))
    wait_for_container(other)
    (item,) = other.ok("GET", "/v1/sandboxes")["items"]
    client = engine()
    forwarder = client.inspect_container(f"aileron-{item['id']}-forwarder")
    client.close()
    process.terminate()
    process.communicate(timeout=30)
    subnets = [place["Gateway"] for place in forwarder["NetworkSettings"]["Networks"].values() if place["Gateway"]]
    ended = there.inside(
        *("aileron-python", "-c", TRY, "aileron.internal:8443", "aileron.internal:8444", "host.docker.internal:80"),
        *(f"{gateway}:{port}" for gateway in subnets for port in (22, other.control_url.rsplit(":", 1)[1])),
    )
    said = dict(line.split() for line in ended.stdout.splitlines())
    assert said.pop("aileron.internal:8443") == "reached"
    assert set(said.values()) == {"no"}, said


def test_the_forwarder_is_shut_in_itself(other: World, there: Shell) -> None:
    process = there.start(*there.words("sleep", "600"))
    wait_for_container(other)
    (item,) = other.ok("GET", "/v1/sandboxes")["items"]
    client = engine()
    seen = client.inspect_container(f"aileron-{item['id']}-forwarder")
    client.close()
    process.terminate()
    process.communicate(timeout=30)
    host = seen["HostConfig"]
    assert (host["Privileged"], host["CapDrop"], host["CapAdd"]) == (False, ["ALL"], None)
    assert host["ReadonlyRootfs"] is True
    assert seen["Config"]["User"] == "65534:65534"
    assert not host["PortBindings"]
    mounted: list[dict[str, Any]] = seen["Mounts"]
    assert [mount["Destination"] for mount in mounted] in ([], ["/run/door"])
    assert not any(mount["RW"] for mount in mounted)


def test_a_sandbox_whose_forwarder_goes_away_ends(other: World, there: Shell) -> None:
    process = there.start(*there.words("sleep", "600"))
    wait_for_container(other)
    (item,) = other.ok("GET", "/v1/sandboxes")["items"]
    subprocess.run(["docker", "kill", f"aileron-{item['id']}-forwarder"], check=True, capture_output=True)
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "its network went away" in err


def test_when_the_daemon_is_killed_the_forwarder_ends(other: World, there: Shell) -> None:
    process = there.start(*there.words("sleep", "600"))
    wait_for_container(other)
    other.kill()
    process.communicate(timeout=30)
    client = engine()
    deadline = time.monotonic() + 15
    while client.containers(filters={"label": "io.aileron.home"}):  # those that run
        assert time.monotonic() < deadline
        time.sleep(0.1)
    client.close()
    other.start()
    other.unlock()

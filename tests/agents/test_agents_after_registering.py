"""A launch works also where the agent's own configuration has a server called `aileron`: ours, or the person's own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents.runners import Bench, product
from agents.test_agent_matrix import SHIPPED, arguments, files_of, pytestmark  # noqa: F401 - the same marks
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess
from world import ROOT, World

from launchers.registration.entries import PLACES

AGENTS = ("claude", "codex", "goose", "opencode", "pi")
OWN = [sys.executable, str(ROOT / "tests/services/own_server.py")]
NOWHERE = "http://127.0.0.1:9/mcp"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with UpstreamProcess() as upstream, ModelProcess() as model, World(tmp_path, upstream=upstream.url) as world:
        upstream.behave("/item", json={"status": SHIPPED})
        world.start()
        world.set_up()
        world.add_action("post-item")
        yield Bench(tmp_path, world, model)


def registered(bench: Bench, agent: str, word: str = "register") -> None:
    code = "from daemon.cli.main import main; main()"
    command = [sys.executable, "-c", code, "agent", word, product(agent)]
    subprocess.run(command, env=bench.environment(agent), check=True, capture_output=True, timeout=60)


def works(bench: Bench, agent: str) -> None:
    """Launch it, and see that the action ran once and that no file of the person's was changed."""
    place = bench.home(agent) / PLACES[agent].path
    before = place.read_bytes()
    bench.model.script("post_item", **arguments(bench))
    ended = bench.finish(bench.start(agent))
    assert ended.code == 0, ended.err
    assert SHIPPED in ended.out, ended.out + ended.err
    assert "1 action run" in ended.err
    if agent != "claude":  # which counts its starts there
        assert place.read_bytes() == before


@pytest.mark.parametrize("agent", AGENTS)
def test_what_was_registered_can_be_launched(bench: Bench, agent: str) -> None:
    registered(bench, agent)
    works(bench, agent)
    sessions = bench.world.ok("GET", "/v1/sessions")["items"]
    assert sorted(item["kind"] for item in sessions) == ["host", "terminal"]  # and nothing runs in a second one
    asked = str([request for request in bench.model.seen if request["method"] == "POST"])
    assert asked.count("post_item") > 0
    registered(bench, agent, "unregister")
    bench.model.script("post_item", **arguments(bench))
    assert SHIPPED in bench.finish(bench.start(agent)).out


def own_entry(agent: str, *, remote: bool) -> dict[str, Any]:
    """Return a server of the person's own as the agent's documentation writes it."""
    match agent, remote:
        case "claude", False:
            return {"type": "stdio", "command": OWN[0], "args": OWN[1:]}
        case "claude", True:
            return {"type": "http", "url": NOWHERE, "headers": {"X-Mine": "1"}}
        case "codex", False:
            return {"command": OWN[0], "args": OWN[1:], "env": {"MINE": "1"}}
        case "codex", True:
            return {"url": NOWHERE, "bearer_token_env_var": "MINE"}
        case "goose", False:
            mine = {"enabled": True, "type": "stdio", "name": "aileron", "cmd": OWN[0], "args": OWN[1:]}
            return mine | {"timeout": 60}
        case "goose", True:
            return {"enabled": True, "type": "streamable_http", "name": "aileron", "uri": NOWHERE, "timeout": 5}
        case "opencode", False:
            return {"type": "local", "command": OWN, "enabled": True, "environment": {"MINE": "1"}}
        case "opencode", True:
            return {"type": "remote", "url": NOWHERE, "headers": {"X-Mine": "1"}}
        case _, False:
            return {"command": OWN[0], "args": OWN[1:], "exposure": "direct"}
    return {"url": NOWHERE, "exposure": "direct"}


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
@pytest.mark.parametrize("agent", AGENTS)
def test_a_server_of_the_persons_own_by_our_name_does_not_keep_a_launch_from_working(
    bench: Bench, agent: str, remote: bool
) -> None:
    place = PLACES[agent]
    path = bench.home(agent) / place.path
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text() if path.exists() else ""
    path.write_text(place.put_in(text, own_entry(agent, remote=remote)))
    works(bench, agent)

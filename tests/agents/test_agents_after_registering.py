"""A launch works also where the agent's own configuration has a server called `aileron`: ours, or the person's own."""

import subprocess
import sys
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("registered")
    with UpstreamProcess() as upstream, ModelProcess() as model, World(folder, upstream=upstream.url) as world:
        upstream.behave("/item", json={"status": SHIPPED})
        world.start()
        world.set_up()
        world.add_action("post-item")
        yield Bench(folder, world, model)


def registered(bench: Bench, agent: str, word: str = "add") -> None:
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
    before = len(bench.world.ok("GET", "/v1/sessions")["items"])
    works(bench, agent)
    assert len(bench.world.ok("GET", "/v1/sessions")["items"]) == before + 1  # and nothing runs in a second one
    registered(bench, agent, "remove")


def own_entry(agent: str, *, remote: bool) -> dict[str, Any]:
    """Return a server of the person's own as the agent's documentation writes it."""
    match agent:
        case "claude":
            return {"type": "stdio", "command": OWN[0], "args": OWN[1:]}
        case "codex":
            return {"url": NOWHERE, "bearer_token_env_var": "MINE"}
        case "goose":
            shared = {"enabled": True, "name": "aileron", "timeout": 5}
            how = {"type": "streamable_http", "uri": NOWHERE} if remote else {"type": "stdio", "cmd": OWN[0]}
            return shared | how | ({} if remote else {"args": OWN[1:]})
        case "opencode":
            return {"type": "remote", "url": NOWHERE, "headers": {"X-Mine": "1"}}
        case _:
            return {"command": OWN[0], "args": OWN[1:], "exposure": "direct"}


@pytest.mark.parametrize(
    ("agent", "remote"),
    [("claude", False), ("codex", True), ("goose", False), ("goose", True), ("opencode", True), ("pi", False)],
)
def test_a_server_of_the_persons_own_by_our_name_does_not_keep_a_launch_from_working(
    bench: Bench, agent: str, remote: bool
) -> None:
    place = PLACES[agent]
    path = bench.home(agent) / place.path
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text() if path.exists() else ""
    path.write_text(place.put_in(text, own_entry(agent, remote=remote)))
    works(bench, agent)

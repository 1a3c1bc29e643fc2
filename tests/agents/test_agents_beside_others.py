"""Launches that are not alone: two at once, and beside servers the person already had."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents.runners import Bench
from agents.test_agent_matrix import AGENTS, SHIPPED, arguments, pytestmark  # noqa: F401 - the same marks
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess
from world import ROOT, World

OWN = [sys.executable, str(ROOT / "tests/services/own_server.py")]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("beside")
    with UpstreamProcess() as upstream, ModelProcess() as model, World(folder, upstream=upstream.url) as world:
        upstream.behave("/item", json={"status": SHIPPED})
        world.start()
        world.set_up()
        world.add_action("post-item")
        world.add_action("ask-first", approval=True)
        yield Bench(folder, world, model)


def test_there_is_no_network_but_loopback(nothing_but_loopback: bool) -> None:
    if not nothing_but_loopback:
        pytest.skip("taking the tests into a network of their own needs root")
    for place in (("1.1.1.1", 443), ("2606:4700:4700::1111", 443)):
        with pytest.raises(OSError, match="unreachable"):
            socket.create_connection(place, timeout=2)


def own_server(bench: Bench, agent: str) -> list[str]:
    """Put a server of the person's own into the agent's file, as its documentation says; return what to pass along."""
    home = bench.home(agent)
    entry: dict[str, Any] = {"command": OWN[0], "args": OWN[1:]}
    match agent:
        case "claude":
            (home / ".claude.json").write_text(json.dumps({"mcpServers": {"mine": {"type": "stdio", **entry}}}))
            return ["--allowedTools=mcp__mine"]
        case "codex":
            path = home / ".codex/config.toml"
            server = f"command = {json.dumps(OWN[0])}\nargs = {json.dumps(OWN[1:])}\nrequired = true\n"
            text = f'{path.read_text()}[mcp_servers.mine]\n{server}default_tools_approval_mode = "approve"\n'
            path.write_text(text)
        case "goose":
            path = home / ".config/goose/config.yaml"
            path.parent.mkdir(parents=True)
            lines = ["enabled: true", "type: stdio", "name: mine", f"cmd: {OWN[0]}", f"args: [{OWN[1]}]", "timeout: 60"]
            path.write_text("extensions:\n  mine:\n" + "".join(f"    {line}\n" for line in lines))
        case "opencode":
            path = home / ".config/opencode/opencode.json"
            settings = json.loads(path.read_text())
            path.write_text(
                json.dumps(settings | {"mcp": {"mine": {"type": "local", "command": OWN, "enabled": True}}})
            )
        case "pi":
            server = entry | {"exposure": "direct"}
            (home / ".pi/agent/mcp.json").write_text(json.dumps({"mcpServers": {"mine": server}}))
        case _:
            server = entry | {"directTools": True}
            (home / ".pi/agent/mcp.json").write_text(json.dumps({"mcpServers": {"mine": server}}))
    return []


@pytest.mark.parametrize("agent", AGENTS)
def test_a_persons_own_server_works_beside_ours(bench: Bench, agent: str) -> None:
    more = own_server(bench, agent)
    for tool, given, said in (
        ("own_echo", {"text": "yes"}, "mine-says-yes"),
        ("post_item", arguments(bench), SHIPPED),
    ):
        bench.model.script(tool, **given)
        ended = bench.finish(bench.start(agent, *more))
        assert ended.code == 0, ended.err
        assert said in ended.out, ended.out + ended.err


def test_two_launches_at_once_do_not_see_each_other(bench: Bench) -> None:
    bench.model.script("ask_first", **arguments(bench))
    processes = [bench.start("codex"), bench.start("goose")]
    deadline = time.monotonic() + 60
    while len(waiting := bench.world.ok("GET", "/v1/approvals?state=pending")["items"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sessions = {item["id"]: item["label"] for item in bench.world.ok("GET", "/v1/sessions?active=true")["items"]}
    by_agent = {sessions[item["session"]].partition(" ")[0]: item["id"] for item in waiting}
    assert set(by_agent) == {"codex", "goose"}
    bench.world.ok("POST", f"/v1/approvals/{by_agent['codex']}/approve", {})
    bench.world.ok("POST", f"/v1/approvals/{by_agent['goose']}/deny", {})
    codex, goose = (bench.finish(process) for process in processes)
    assert (codex.code, goose.code) == (0, 0)
    assert SHIPPED in codex.out
    assert "approval_denied" not in codex.out
    assert "approval_denied" in goose.out
    assert SHIPPED not in goose.out
    assert all("1 approval asked for" in ended.err for ended in (codex, goose))


def test_what_a_launch_leaves_in_the_persons_folders_is_nothing_of_ours(bench: Bench) -> None:
    for agent in AGENTS:
        for path in Path(bench.home(agent)).rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert b"ailt_" not in path.read_bytes(), path

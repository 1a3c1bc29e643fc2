"""Tools of a real server through the real daemon and aileron-mcp: what the agent sees, and what a person decides."""

from collections.abc import Iterator
from typing import Any

import pytest
from mcp_server.pipes import ByHand, launched
from servers.served_world import ServedWorld
from servers.started import hostile

RULES = """
[approvals.rules.h__count]
decision = "ask"
[approvals.rules.h__slow]
decision = "deny"
reason = "Nobody has the time."
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedWorld]:
    folder = tmp_path_factory.mktemp("world")
    servers = {"h": hostile(era="handshake", ledger=folder / "ledger")}
    with ServedWorld(folder, servers, upstream="http://127.0.0.1:9", settings=RULES) as made:
        made.start()
        made.look(made.session()[1], "h__count")
        yield made


@pytest.fixture
def agent(world: ServedWorld) -> Iterator[ByHand]:
    with ByHand(launched(world)) as started:
        started.initialize()
        yield started


def test_an_agent_lists_and_calls_them_and_is_told_of_failures(agent: ByHand, world: ServedWorld) -> None:
    tools = {tool["name"]: tool for tool in agent.ask("tools/list")["result"]["tools"]}
    assert {"h__echo", "h__everything", "read_result", "check_action_status"} <= set(tools)
    assert tools["h__everything"]["annotations"]["readOnlyHint"] is True
    assert agent.call("h__echo", {"text": "hello"})["content"][-1] == {"type": "text", "text": "hello"}
    everything = agent.call("h__everything", {})
    assert everything["isError"]
    assert [block["type"] for block in everything["content"]][:3] == ["text", "image", "audio"]
    denied = agent.call("h__slow", {})
    assert denied["isError"]
    assert "Nobody has the time" in denied["content"][0]["text"]
    assert [event["payload"]["aileron.decision"] for event in world.events(type="execution.started")] == ["allow"] * 2


def test_what_a_person_approved_is_answered_with_the_tools_own_result(world: ServedWorld) -> None:
    token = world.session()[1]
    body: dict[str, Any] = {"arguments": {"text": "counted"}}
    asked = world.agent("POST", "/v1/tools/h__count/call", body, token=token)
    assert asked.status_code == 202
    approval = asked.json()["approval_id"]
    shown = world.ok("GET", f"/v1/approvals/{approval}")
    assert (shown["kind"], shown["subject"]["origin"], shown["action"]) == ("server", "h", "h/count")
    step = shown["explanation"]["steps"][0]
    assert (step["doer"], step["hosts"]) == ("server", [])
    assert step["reach"] == "whatever you can reach: it runs on this machine, as you"
    assert shown["explanation"]["steps"][0]["inputs"] == [{"name": "text", "parts": [{"text": "counted"}]}]
    world.ok("POST", f"/v1/approvals/{approval}/approve", {})
    answer = world.agent("GET", f"/v1/action-approvals/{approval}/result?wait=30", token=token).json()
    assert (answer["status"], answer["content"]) == ("completed", [{"type": "text", "text": "counted"}])
    assert world.verify()["ok"]


def test_the_definitions_outlive_the_daemon_and_the_server_is_not_started_for_the_list(world: ServedWorld) -> None:
    world.stop()
    world.start()
    listed = world.agent("GET", "/v1/tools", token=world.session()[1]).json()["items"]
    assert "h__echo" in {tool["name"] for tool in listed}
    assert len(world.events(type="server.tools_pinned")) == 1

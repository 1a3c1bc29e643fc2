"""What an agent sees of servers through aileron-mcp, in both eras of the protocol on both sides."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_server.pipes import HANDSHAKE, MODERN, ByHand, launched
from waiting import wait_until
from world import World

HERE = Path(__file__).parent
ELICITS = {"elicitation": {"form": {}}}
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    rules = '[approvals.rules."held__*"]\ndecision = "ask"\n'
    with World(tmp_path_factory.mktemp("world"), upstream="http://127.0.0.1:9", settings=rules) as made:
        made.start()
        made.set_up_vault()
        commands = {
            "new": [str(HERE / "sdk_server.py")],
            "held": [str(HERE / "sdk_server.py")],
            "old": [str(HERE / "handshake_asker.py"), str(made.folder / "slow")],
        }
        for name, command in commands.items():
            made.ok("POST", "/v1/servers", {"name": name, "command": [sys.executable, *command]})
        eras = {name: made.ok("POST", f"/v1/servers/{name}/test")["era"] for name in commands}
        assert eras == {"new": "modern", "held": "modern", "old": "handshake"}
        yield made


@pytest.fixture(scope="module")
def older(world: World) -> Iterator[ByHand]:
    """Offer an agent of the handshake era that can ask its person."""
    with ByHand(launched(world)) as server:
        server.ask("initialize", HANDSHAKE | {"capabilities": ELICITS})
        server.notify("notifications/initialized")
        yield server


@pytest.fixture(scope="module")
def newer(world: World) -> Iterator[ByHand]:
    """Offer an agent of the modern era that can ask its person."""
    with ByHand(launched(world)) as server:
        server.meta = MODERN | {CAPABILITIES: ELICITS}
        yield server


def ask_modern(agent: ByHand, method: str, **params: Any) -> dict[str, Any]:
    return agent.ask(method, {"_meta": agent.meta, **params})


def test_tools_of_servers_keep_their_schema_of_results_and_their_structured_content(older: ByHand) -> None:
    tools = {tool["name"]: tool for tool in older.ask("tools/list")["result"]["tools"]}
    of_server, _ = tools["new__add"]["outputSchema"]["anyOf"]
    assert of_server["properties"]["result"]["type"] == "integer"
    added = older.call("new__add", {"one": 2, "other": 3})
    assert (added["isError"], added["structuredContent"]) == (False, {"result": 5})
    assert added["content"] == [{"type": "text", "text": "5"}]
    assert added["_meta"]["aileron/audit_id"].startswith("aud_")


def test_resources_templates_prompts_and_completion_are_asked_of_their_server(older: ByHand) -> None:
    assert [each["uri"] for each in older.ask("resources/list")["result"]["resources"]] == ["note:///one"]
    [template] = older.ask("resources/templates/list")["result"]["resourceTemplates"]
    assert template["uriTemplate"] == "note:///{name}/text"
    for uri, said in (
        ("note:///one", "the first note"),
        ("note:///x/text", "the note x"),
        ("new+note:///one", "the first note"),
    ):
        assert older.ask("resources/read", {"uri": uri})["result"]["contents"][0]["text"] == said
    assert older.ask("resources/read", {"uri": "nowhere:///"})["error"]["code"] == -32602
    assert [each["name"] for each in older.ask("prompts/list")["result"]["prompts"]] == ["new__greet"]
    made = older.ask("prompts/get", {"name": "new__greet", "arguments": {"whom": "Ada"}})["result"]
    assert made["messages"][0]["content"]["text"] == "Greet Ada."
    ref = {"ref": {"type": "ref/prompt", "name": "new__greet"}, "argument": {"name": "whom", "value": "A"}}
    assert older.ask("completion/complete", ref)["result"]["completion"]["values"] == ["Ada", "Alan"]


def test_a_list_that_a_rule_holds_asks_no_person_and_is_left_out(older: ByHand, world: World) -> None:
    assert "held__greet" not in str(older.ask("prompts/list"))
    assert "held+note:///one" not in str(older.ask("resources/list"))
    assert world.ok("GET", "/v1/approvals")["items"] == []
    waiting = older.ask("resources/read", {"uri": "held+note:///one"})["error"]
    assert "check_action_status" in waiting["message"]
    assert len(world.ok("GET", "/v1/approvals")["items"]) == 1


def test_what_is_asked_beside_tools_is_in_the_log(older: ByHand, world: World) -> None:
    older.ask("resources/read", {"uri": "note:///one"})
    assert "new/(read_resource)" in str(world.events(type="execution.started"))


def test_an_older_agent_hears_the_progress_of_servers_of_both_eras(older: ByHand) -> None:
    assert older.call("new__steps", _meta={"progressToken": "t"})["isError"] is False
    for step in (1, 2, 3):
        told = older.wait_for_notification("notifications/progress")["params"]
        assert (told["progressToken"], told["progress"], told["total"]) == ("t", step, 3)


@pytest.mark.parametrize("server", ["new", "old"])
def test_an_older_agent_answers_what_a_server_of_either_era_asks(older: ByHand, server: str) -> None:
    call = older.send("tools/call", {"name": f"{server}__ask", "arguments": {}})
    asked = older.wait_for_notification("elicitation/create")
    assert asked["params"]["message"] == "Which colour?"
    older.write(f'{{"jsonrpc":"2.0","id":{asked["id"]!s},"result":{{"action":"accept","content":{{"colour":"red"}}}}}}')
    assert older.answer(call)["result"]["content"][0]["text"] == "red"


@pytest.mark.parametrize("server", ["new", "old"])
def test_a_newer_agent_answers_what_a_server_of_either_era_asks(newer: ByHand, server: str) -> None:
    call = {"name": f"{server}__ask", "arguments": {}}
    waiting = ask_modern(newer, "tools/call", **call)["result"]
    assert waiting["resultType"] == "input_required"
    [(key, question)] = waiting["inputRequests"].items()
    assert question["params"]["message"] == "Which colour?"
    answers = {
        "inputResponses": {key: {"action": "accept", "content": {"colour": "blue"}}},
        "requestState": waiting["requestState"],
    }
    other = ask_modern(newer, "tools/call", name=f"{server}__ask", arguments={"x": 1}, **answers)
    assert other["error"]["code"] == -32602
    assert ask_modern(newer, "tools/call", **call, **answers)["result"]["content"][0]["text"] == "blue"
    again = ask_modern(newer, "tools/call", **call, **answers)
    assert "It may have had an effect" in again["error"]["message"]


def test_an_agent_that_dies_of_being_asked_is_not_asked(world: World) -> None:
    with ByHand(launched(world)) as server:
        goose = {"capabilities": ELICITS, "clientInfo": {"name": "goose-cli", "version": "1"}}
        server.ask("initialize", HANDSHAKE | goose)
        server.notify("notifications/initialized")
        told = server.call("old__ask")["structuredContent"]
        assert [each for each in server.notifications if "id" in each] == []
        [question] = world.ok("GET", "/v1/questions?state=open")["items"]
        world.ok("POST", f"/v1/questions/{question['id']}/answer", {"action": "decline"})
        status = {"approval_id": told["approval_id"], "wait_seconds": 30}
        assert "decline" in server.call("check_action_status", status)["content"][1]["text"]


@pytest.mark.parametrize("agent", ["older", "newer"])
def test_what_an_agent_calls_off_is_called_off_at_the_server(
    agent: str, world: World, request: pytest.FixtureRequest
) -> None:
    server: ByHand = request.getfixturevalue(agent)
    ledger = world.folder / "slow"
    ledger.unlink(missing_ok=True)
    call = server.send(
        "tools/call", {"name": "old__slow", "arguments": {}} | ({"_meta": server.meta} if server.meta else {})
    )
    wait_until(lambda: ledger.exists() and ledger.read_text() == "begun")
    server.notify("notifications/cancelled", {"requestId": call})
    wait_until(lambda: ledger.read_text() == "called off")
    wait_until(
        lambda: "outcome_unknown" in str(world.events(type="execution.unknown") + world.events(type="execution.failed"))
    )

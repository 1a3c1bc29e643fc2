"""What servers say and ask beside results: lines for the log, folders, the agent's model, resources that change."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_server.pipes import HANDSHAKE, MODERN, ByHand, launched
from waiting import wait_until
from world import World

HERE = Path(__file__).parent
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
LEVEL = "io.modelcontextprotocol/logLevel"
SECRET = "sentinel-41d0b7c8e5a94f12-token"
RULES = """
[approvals.rules."free__(sampling)"]
decision = "allow"
reason = "It may think."

[approvals.rules."ruled__*"]
decision = "allow"
reason = "All of its tools are fine."
"""
SAID = {"role": "assistant", "content": {"type": "text", "text": "Well."}, "model": "m"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), upstream="http://127.0.0.1:9", settings=RULES) as made:
        made.start()
        made.set_up_vault()
        made.ok("PUT", "/v1/secrets", {"name": "token", "value": SECRET})
        chatty = [sys.executable, str(HERE / "chatty_server.py")]
        for name, more in {
            "free": {"env": {"TOKEN": "vault://secrets/token"}},
            "ruled": {},
            "own": {"scope": "session"},
        }.items():
            made.ok("POST", "/v1/servers", {"name": name, "command": chatty, **more})
            assert made.ok("POST", f"/v1/servers/{name}/test")["era"] == "handshake"
        made.ok("POST", "/v1/servers", {"name": "new", "command": [sys.executable, str(HERE / "reference_server.py")]})
        assert made.ok("POST", "/v1/servers/new/test")["era"] == "modern"
        yield made


@pytest.fixture(scope="module")
def plain(world: World) -> Iterator[ByHand]:
    """Offer an agent of the older era that answers nothing."""
    with older(world) as agent:
        yield agent


@pytest.fixture(scope="module")
def thinker(world: World) -> Iterator[ByHand]:
    """Offer an agent of the older era that has its model asked."""
    with older(world, sampling={}) as agent:
        yield agent


@pytest.fixture(scope="module")
def new(world: World) -> Iterator[ByHand]:
    """Offer an agent of the newer era that answers nothing."""
    with newer(world) as agent:
        yield agent


def older(world: World, *, level: str | None = None, **capabilities: Any) -> ByHand:
    """Return an agent of the handshake era."""
    agent = ByHand(launched(world))
    agent.ask("initialize", HANDSHAKE | {"capabilities": capabilities})
    agent.notify("notifications/initialized")
    if level is not None:
        assert agent.ask("logging/setLevel", {"level": level})["result"] == {}
    return agent


def newer(world: World, **capabilities: Any) -> ByHand:
    """Return an agent of the modern era."""
    agent = ByHand(launched(world))
    agent.meta = MODERN | {CAPABILITIES: capabilities}
    return agent


def call(agent: ByHand, tool: str, level: str | None = None, **arguments: Any) -> dict[str, Any]:
    """Call a tool in the agent's era, and return the whole answer."""
    meta = {"_meta": agent.meta | ({LEVEL: level} if level is not None else {})} if agent.meta else {}
    return agent.ask("tools/call", {"name": tool, "arguments": arguments, **meta})


def said(answer: dict[str, Any]) -> Any:
    """Return what a tool of the chatty server answered, read as JSON."""
    return json.loads(answer["result"]["content"][0]["text"])


def lines(agent: ByHand) -> list[dict[str, Any]]:
    """Return the lines for the log that came before the last answer, and forget them."""
    found = [each["params"] for each in agent.notifications if each.get("method") == "notifications/message"]
    agent.notifications.clear()
    return found


SPOKEN = [["debug", "a"], ["info", {"b": 1}], ["error", "c"]]


def test_an_older_agent_hears_lines_from_the_level_on_that_it_has_set_and_none_before(world: World) -> None:
    with older(world) as agent:
        call(agent, "free__say", lines=SPOKEN)
        assert lines(agent) == []
        agent.ask("logging/setLevel", {"level": "info"})
        call(agent, "free__say", lines=SPOKEN)
        assert [(each["level"], each["data"]) for each in lines(agent)] == [("info", {"b": 1}), ("error", "c")]
        call(agent, "new__test_logging_tool")
        assert [each["level"] for each in lines(agent)] == ["info"] * 3
        agent.ask("logging/setLevel", {"level": "critical"})
        call(agent, "free__say", lines=SPOKEN)
        call(agent, "new__test_logging_tool")
        assert lines(agent) == []


def test_a_newer_agent_hears_lines_for_the_requests_that_ask_for_them(new: ByHand) -> None:
    for tool, given, heard in (("free__say", {"lines": SPOKEN}, 2), ("new__test_logging_tool", {}, 3)):
        call(new, tool, **given)
        assert lines(new) == []
        call(new, tool, "info", **given)
        assert len(lines(new)) == heard


def test_the_level_of_a_server_only_goes_down_and_is_asked_for_once(plain: ByHand, thinker: ByHand) -> None:
    plain.ask("logging/setLevel", {"level": "warning"})
    thinker.ask("logging/setLevel", {"level": "debug"})
    lines(plain)
    for agent in (plain, thinker, plain, thinker):
        call(agent, "ruled__say", lines=SPOKEN)
    assert len(lines(plain)) == 2
    assert said(call(plain, "ruled__seen"))["levels"] == ["warning", "debug"]


def test_secrets_are_taken_out_of_lines_for_the_log(plain: ByHand) -> None:
    plain.ask("logging/setLevel", {"level": "debug"})
    lines(plain)
    call(plain, "free__secret")
    [line] = lines(plain)
    assert "redacted" in str(line)
    assert SECRET not in str(line)


def test_a_server_that_floods_the_log_is_heard_a_little_and_its_long_lines_are_cut(plain: ByHand) -> None:
    plain.ask("logging/setLevel", {"level": "debug"})
    lines(plain)
    began = time.monotonic()
    call(plain, "free__flood", count=400, size=20_000)
    seconds = time.monotonic() - began
    heard = lines(plain)
    notes = [each["data"] for each in heard if each["logger"] == "aileron"]
    assert 50 <= len(heard) <= 52 + 21 * seconds
    assert 1 <= len(notes) <= 2 + seconds
    assert all("were left out" in each for each in notes)
    assert all(len(each["data"]) < 10_000 for each in heard)


def test_a_server_of_one_session_is_told_where_that_works_and_a_shared_one_is_not(world: World, plain: ByHand) -> None:
    with ByHand(launched(world, owner_pid=os.getpid(), kind="host")) as agent:
        agent.initialize()
        here = Path.cwd()
        assert said(call(agent, "own__folders")) == {"roots": [{"uri": here.as_uri(), "name": here.name}]}
        assert said(call(agent, "free__folders")) == {"roots": []}
        assert said(call(agent, "own__seen"))["client"]["roots"] == {}
        told = call(agent, "new__test_input_required_result_list_roots")["result"]["content"][0]["text"]
        assert here.as_uri() in told, "a server of the newer era asks for each call"
    assert said(call(plain, "own__folders")) == {"roots": []}, "nothing is known of where that session works"


def test_a_server_that_asks_for_the_folders_without_end_is_told_ten_times_in_a_call(plain: ByHand) -> None:
    answered = said(call(plain, "own__roam", count=500))
    assert (answered["told"], answered["refused"]) == (10, 490)


def test_the_agents_model_is_not_asked_unless_a_rule_names_that_server(world: World, thinker: ByHand) -> None:
    for server in ("ruled", "own"):
        refused = said(call(thinker, f"{server}__think"))
        assert f"{server}__(sampling)" in refused["message"]
        assert "sampling" not in said(call(thinker, f"{server}__seen"))["client"]
        assert [each for each in thinker.notifications if "id" in each] == []
    [event] = world.events(type="server.sampling_refused")[-1:]
    assert event["payload"]["aileron.server.name"] == "own"


def test_a_server_that_a_rule_allows_it_has_the_agents_model_asked_and_that_is_in_the_log(
    world: World, thinker: ByHand, plain: ByHand
) -> None:
    number = thinker.send("tools/call", {"name": "free__think", "arguments": {}})
    asked = thinker.wait_for_notification("sampling/createMessage")
    assert asked["params"]["messages"][0]["content"]["text"] == "How are you?"
    thinker.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": SAID | {"extra": 1}}))
    assert said(thinker.answer(number)) == SAID
    assert "Nobody here answers sampling" in said(call(plain, "free__think"))["message"]
    [event] = world.events(type="server.sampling_allowed")[-1:]
    assert event["payload"]["aileron.decision.rule"] == "free__(sampling)"


def test_a_server_that_asks_the_model_without_end_is_refused_after_some_time(thinker: ByHand) -> None:
    number = thinker.send("tools/call", {"name": "free__think", "arguments": {"times": 50}})
    for _ in range(10):
        asked = thinker.wait_for_notification("sampling/createMessage")
        thinker.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": SAID}))
    assert "Too many questions" in said(thinker.answer(number))["message"]


def test_a_newer_server_is_told_what_this_agent_answers_and_an_agent_what_it_lacks(
    world: World, new: ByHand, plain: ByHand
) -> None:
    asks, needs = "new__test_input_required_result_capabilities", "new__test_missing_capability"
    assert call(new, asks)["result"]["structuredContent"]["status"] == "pending", "the person is asked"
    [question] = world.ok("GET", "/v1/questions?state=open")["items"]
    assert (question["server"], question["message"]) == ("new", "What is your name?")
    world.ok("POST", f"/v1/questions/{question['id']}/answer", {"action": "decline"})
    error = call(new, needs)["error"]
    assert (error["code"], error["data"]) == (-32021, {"requiredCapabilities": {"sampling": {}}})
    with newer(world, elicitation={"form": {}}, sampling={}) as agent:
        assert list(call(agent, asks)["result"]["inputRequests"]) == ["user_name"]
        told = call(agent, needs)["result"]
        assert told["isError"], "the agent has what the server needs; it is the person's rule that it lacks"
        assert "new__(sampling)" in told["content"][0]["text"]
    assert call(plain, needs)["result"]["isError"]


def test_questions_have_the_names_that_the_server_gave_them_and_answers_may_come_at_once(world: World) -> None:
    tool = "new__test_input_required_result_elicitation"
    answers = {"user_name": {"action": "accept", "content": {"name": "Ada"}}, "other": {"action": "decline"}}
    with newer(world, elicitation={"form": {}}) as agent:
        assert list(call(agent, tool)["result"]["inputRequests"]) == ["user_name"]
        given = {"name": tool, "arguments": {}, "inputResponses": answers, "_meta": agent.meta}
        assert "Ada" in agent.ask("tools/call", given)["result"]["content"][0]["text"]


def watch(agent: ByHand, *uris: str) -> None:
    for uri in uris:
        assert agent.ask("resources/subscribe", {"uri": uri})["result"] == {}


def test_a_resource_is_subscribed_to_once_and_told_to_those_who_watch_it(plain: ByHand, thinker: ByHand) -> None:
    mine, theirs = plain, thinker
    one, two = "free+note:///one", "free+note:///two"
    watch(mine, one, two)
    watch(theirs, one)
    begun = said(call(mine, "free__seen"))["asked"]
    assert begun == [["subscribe", "note:///one"], ["subscribe", "note:///two"]]
    call(mine, "free__touch", uris=["note:///two", "note:///nobody's", "note:///one"])
    told = [mine.wait_for_notification("notifications/resources/updated")["params"]["uri"] for _ in range(2)]
    assert sorted(told) == [one, two]
    assert theirs.wait_for_notification("notifications/resources/updated")["params"]["uri"] == one
    assert mine.ask("resources/unsubscribe", {"uri": one})["result"] == {}
    assert said(call(mine, "free__seen"))["asked"] == begun, "the other one still watches it"
    assert theirs.ask("resources/unsubscribe", {"uri": one})["result"] == {}
    assert said(call(mine, "free__seen"))["asked"][2:] == [["unsubscribe", "note:///one"]]
    call(mine, "free__touch", uris=["note:///one"])
    assert [each for each in theirs.notifications if "updated" in str(each)] == []


def test_a_newer_agent_watches_by_a_stream_and_is_told_what_is_watched(new: ByHand) -> None:
    one = "ruled+note:///one"
    wanted = {"resourceSubscriptions": [one, "nowhere:///"]}
    new.send("subscriptions/listen", {"_meta": new.meta, "notifications": wanted})
    begun = new.wait_for_notification("notifications/subscriptions/acknowledged")["params"]
    assert begun["notifications"] == {"resourceSubscriptions": [one]}
    call(new, "ruled__touch", uris=["note:///one"])
    assert new.wait_for_notification("notifications/resources/updated")["params"]["uri"] == one


def test_a_resource_is_watched_again_after_its_server_ended(plain: ByHand) -> None:
    one = "own+note:///one"
    watch(plain, one)
    call(plain, "own__leave")
    assert plain.wait_for_notification("notifications/resources/updated")["params"]["uri"] == one
    wait_until(lambda: said(call(plain, "own__seen"))["asked"] == [["subscribe", "note:///one"]])
    call(plain, "own__touch", uris=["note:///one/part"])
    assert plain.wait_for_notification("notifications/resources/updated")["params"]["uri"] == one


def test_a_resource_with_two_addresses_is_told_and_let_go_by_the_one_that_it_was_asked_for_by(plain: ByHand) -> None:
    first = plain.ask("resources/list")["result"]["resources"]
    short = next(each["uri"] for each in first if each["uri"].startswith("note:///"))
    server = next(name for name in ("free", "ruled", "own") if f"{name}+{short}" not in [each["uri"] for each in first])
    long = f"{server}+{short}"
    watch(plain, long, short)
    plain.notifications.clear()
    call(plain, f"{server}__touch", uris=[short])
    told = [plain.wait_for_notification("notifications/resources/updated")["params"]["uri"] for _ in range(2)]
    assert sorted(told) == sorted([long, short])
    for uri in (long, short):
        assert said(call(plain, f"{server}__seen"))["asked"][-1][0] == "subscribe"
        assert plain.ask("resources/unsubscribe", {"uri": uri})["result"] == {}
    assert said(call(plain, f"{server}__seen"))["asked"][-1] == ["unsubscribe", short]


def test_what_an_agent_watches_is_watched_again_after_the_daemon_was_started_anew(world: World) -> None:
    two = "ruled+note:///two"
    with older(world) as agent:
        watch(agent, two)
        world.stop()
        world.start()
        assert agent.wait_for_notification("notifications/resources/updated")["params"]["uri"] == two
        assert ["subscribe", "note:///two"] in said(call(agent, "ruled__seen"))["asked"]
        call(agent, "ruled__touch", uris=["note:///two"])
        assert agent.wait_for_notification("notifications/resources/updated")["params"]["uri"] == two

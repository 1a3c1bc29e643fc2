"""Calls that go past the MCP library in aileron-mcp are answered as the library answers them.

The library handles the calls of an agent that has not asked for tools yet. So each call here is made twice by one
agent, before it asks and afterwards.
"""

import json
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp_server.pipes import MODERN, ByHand, launched
from servers.hostile_server import EVERY_CONTENT
from servers.served_world import ServedWorld
from waiting import wait_until

from aileron_mcp.plain_answers import plain_body

AS_TOLD = str(Path(__file__).with_name("as_told.py"))
TEXT = {"type": "text", "text": "words \u00e9 \U0001f600 \u2028"}
RULES = '[approvals.rules."held__*"]\ndecision = "ask"\n'
OURS = re.compile(r"(aud|apr|exe|ses)_[0-9a-f-]{36}|\b[0-9a-f]{8}\b")
"""Names of entries and approvals, and their ends, which are others for each call."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedWorld]:
    folder = tmp_path_factory.mktemp("world")
    servers = {name: (sys.executable, AS_TOLD, str(folder / name)) for name in ("told", "held")}
    with ServedWorld(folder, servers, upstream="http://127.0.0.1:9", settings=RULES) as made:
        made.start()
        token = made.session()[1]
        for name in servers:
            made.look(token, f"{name}__say")
        yield made


def ran(world: ServedWorld) -> int:
    ledger = world.folder / "told"
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


class Both:
    """Makes calls both ways, and returns what came on each."""

    def __init__(self, world: ServedWorld) -> None:
        self._world = world

    def __call__(self, *calls: Any) -> tuple[list[Any], list[Any]]:
        """Write the parameters of each call, wait for its answer; return all messages that came, by way."""
        with ByHand(launched(self._world)) as agent:
            agent.initialize()
            by_library = [self._came(agent, call) for call in calls]
            assert "told__say" in agent.tools()
            return by_library, [self._came(agent, call) for call in calls]

    @staticmethod
    def _came(agent: ByHand, call: Any) -> Any:
        agent.notifications.clear()
        agent.write(json.dumps({"jsonrpc": "2.0", "id": "n", "method": "tools/call", "params": call}))
        answer = {name: value for name, value in _by_id(agent, "n").items() if name != "id"}
        return json.loads(OURS.sub("(ours)", json.dumps([*agent.notifications, answer])))


def _by_id(agent: ByHand, number: str) -> dict[str, Any]:
    while (message := agent.next()).get("id") != number:
        agent.notifications.append(message)
    return message


@pytest.fixture(scope="module")
def both(world: ServedWorld) -> Callable[..., tuple[list[Any], list[Any]]]:
    return Both(world)


def say(*, meta: Any = None, **told: Any) -> dict[str, Any]:
    call: dict[str, Any] = {"name": "told__say", "arguments": told}
    return call if meta is None else {**call, "_meta": meta}


RESULTS: list[Any] = [
    {"content": [TEXT]},
    {"content": [TEXT, TEXT], "isError": True},
    {"content": []},
    {"content": [TEXT], "structuredContent": {"a": [1, None, 1.5, True, "x"], "b": None, "c": {}}},
    *("deep", "numbers", "half a character", "infinite"),
    {"content": [TEXT], "_meta": {"x/y": {"z": None}, "a": 1}},
    {"content": EVERY_CONTENT},
    {"content": [{**TEXT, "annotations": {"priority": 1}}, {**TEXT, "_meta": {"a/b": 1}}, {**TEXT, "more": 1}]},
    {"content": [{"type": "text", "text": "x" * 20_000}]},
    {"content": [{"type": "smell", "of": "coffee"}]},
    {"content": [{"type": "text"}]},
    {"content": [TEXT], "structuredContent": [1]},
    {"content": "none"},
    {},
]


def test_results_and_errors_are_the_same_both_ways(both: Any) -> None:
    errors = [{"code": -32602, "message": "no"}, {"code": 1, "message": "odd", "data": {"a": [None]}}]
    calls = [say(result=each) for each in RESULTS] + [say(error=each) for each in errors]
    by_library, straight = both(*calls)
    assert straight == by_library
    assert straight[0][-1]["result"]["content"] == [TEXT]
    assert [each[-1]["result"]["isError"] for each in straight[:2]] == [False, True]


def test_the_daemon_answers_a_call_in_the_form_that_needs_no_parser(world: ServedWorld) -> None:
    # A change of that form would go unnoticed: the parser understands it as well, and takes longer.
    place = urlsplit(world.agent_url)
    body = json.dumps({"arguments": {"result": {"content": [TEXT]}}, "answers": []}).encode()
    head = [
        "POST /v1/tools/told__say/call HTTP/1.1",
        f"Host: {place.netloc}",
        f"Authorization: Bearer {world.session()[1]}",
        "Accept: text/event-stream, application/json",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    with socket.create_connection((place.hostname, place.port), timeout=30) as daemon:
        daemon.sendall("\r\n".join([*head, "\r\n"]).encode() + body)
        answer = daemon.recv(65536)
        while (plain := plain_body(answer)) is None and (more := daemon.recv(65536)):
            answer += more
    assert plain is not None, answer
    assert json.loads(plain)["content"] == [TEXT]


def test_structured_content_that_the_older_era_does_not_have_is_left_to_the_text_and_is_no_error(both: Any) -> None:
    odd = [say(result={"content": [TEXT], "structuredContent": [1]}), say(result={"structuredContent": [1]})]
    by_library, straight = both(*odd, say(result="deep"))
    assert straight == by_library
    for (answer,) in straight:
        assert "structuredContent" not in answer["result"]
    assert straight[0][0]["result"]["content"] == [TEXT]
    assert [json.loads(block["text"]) for block in straight[1][0]["result"]["content"]] == [[1]]


def test_what_is_told_on_the_way_is_the_same_both_ways_and_comes_before_the_answer(both: Any) -> None:
    steps = [{"progress": 1, "total": 3}, {"progress": 2.5, "total": 3, "message": "nearly"}]
    done = {"content": [TEXT]}
    by_library, straight = both(
        say(meta={"progressToken": "t", "agent/tool-use": "x"}, progress=steps, result=done),
        say(meta={"progressToken": 7}, progress=steps, result=done),
        say(meta={}, progress=steps, result=done),
    )
    assert straight == by_library
    assert [len(each) for each in straight] == [3, 3, 1]
    assert [each["params"] for each in straight[1][:2]] == [{"progressToken": 7, **step} for step in steps]


ODD: list[Any] = [
    {"name": "told__say"},
    {"name": "told__say", "arguments": None},
    {"name": "told__say", "arguments": [1]},
    {"name": "told__say", "arguments": {}, "_meta": None},
    {"name": "told__say", "arguments": {}, "_meta": {"progressToken": 1.5}},
    {"name": "told__say", "arguments": {}, "_meta": {"progressToken": True}},
    {"name": "told__say", "arguments": {}, "_meta": MODERN},
    {"name": "told__say", "arguments": {}, "task": {"ttl": 1}},
    {"name": "told__say", "arguments": {}, "requestState": "x"},
    {"name": "told__say", "arguments": {}, "more": 1},
    {"name": 7, "arguments": {}},
    {"arguments": {}},
    {"name": "told__nothing", "arguments": {}},
    {"name": "../told__say", "arguments": {}},
    {"name": "check_action_status", "arguments": {"approval_id": 7}},
    {"name": "held__say", "arguments": {}},
]


def test_calls_that_are_odd_or_must_wait_are_answered_the_same_both_ways(both: Any) -> None:
    by_library, straight = both(*ODD)
    names = [len(each[-1].get("result", {}).get("structuredContent", {}).get("review_url", "")) for each in straight]
    assert straight == by_library
    assert names[-1] > 0, "the last one waits for a person"


def test_a_level_that_was_set_right_before_a_call_holds_for_it(world: ServedWorld) -> None:
    lines = [{"level": "debug", "data": "low"}, {"level": "error", "data": {"a": None}, "logger": "l"}]
    with ByHand(launched(world)) as agent:
        agent.initialize()
        agent.tools()
        for level, heard in (("error", lines[1:]), ("debug", lines), ("emergency", [])):
            setting = {"jsonrpc": "2.0", "id": "s", "method": "logging/setLevel", "params": {"level": level}}
            call = say(log=lines, result={"content": []})
            calling = {"jsonrpc": "2.0", "id": "n", "method": "tools/call", "params": call}
            agent.notifications.clear()
            agent.write(f"{json.dumps(setting)}\n{json.dumps(calling)}")
            assert "result" in _by_id(agent, "n")
            assert [each["params"] for each in agent.notifications if "method" in each] == heard


def test_a_level_holds_for_every_call_until_another_is_set(world: ServedWorld) -> None:
    line = {"level": "error", "data": "told"}
    with ByHand(launched(world)) as agent:
        agent.initialize()
        agent.tools()
        for level, heard in ((None, []), ("error", [line]), ("emergency", []), ("debug", [line])):
            if level is not None:
                assert agent.ask("logging/setLevel", {"level": level})["result"] == {}
            for _ in range(2):
                agent.notifications.clear()
                agent.ask("tools/call", say(log=[line], result={"content": []}))
                assert [each["params"] for each in agent.notifications] == heard


@pytest.mark.parametrize("listed", [False, True], ids=["by-library", "straight"])
def test_calls_under_way_at_the_end_of_input_are_answered_with_that(world: ServedWorld, listed: bool) -> None:
    before = ran(world)
    with ByHand(launched(world)) as agent:
        agent.initialize()
        if listed:
            agent.tools()
        calls = [agent.send("tools/call", say(late=True)) for _ in range(3)]
        wait_until(lambda: ran(world) == before + 3)
        agent.notify("notifications/cancelled", {"requestId": calls[1]})
        assert agent.end_input() == 0
        answers = {answer["id"]: answer["error"] for answer in (agent.next(), agent.next())}
        closed = {"code": -32000, "message": "Connection closed"}
        assert answers == {calls[0]: closed, calls[2]: closed}, "and the one that was called off is not answered"


def test_many_calls_at_once_are_answered_each_with_its_own(world: ServedWorld) -> None:
    with ByHand(launched(world)) as agent:
        agent.initialize()
        agent.tools()
        wanted = [f"{each}" * (1 if each % 3 else 3000) for each in range(60)]
        texts = {
            agent.send("tools/call", say(result={"content": [{"type": "text", "text": text}]})): text for text in wanted
        }
        for _ in wanted:
            answer = agent.next()
            assert answer["result"]["content"][0]["text"] == texts.pop(answer["id"])

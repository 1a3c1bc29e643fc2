"""What a server asks while an agent's call runs, with agents as they are shipped: who answers, and who is told."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents.runners import Bench
from agents.test_agent_matrix import pytestmark  # noqa: F401 - the same marks
from services.model_server import STATUS_TOOL, ModelProcess
from waiting import wait_until
from world import World

INQUIRER = str(Path(__file__).parents[1] / "servers" / "inquirer.py")
ASK: dict[str, Any] = {
    "message": "Which colour?",
    "requestedSchema": {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]},
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("asked")
    with ModelProcess() as model, World(folder, upstream="http://127.0.0.1:9") as world:
        world.start()
        command = [sys.executable, INQUIRER, "handshake", str(folder / "ledger")]
        world.ok("POST", "/v1/servers", {"name": "inquirer", "command": command})
        world.ok("POST", "/v1/servers/inquirer/test")
        yield Bench(folder, world, model)


@pytest.mark.parametrize("agent", ["goose", "pi"])
def test_an_agent_that_cannot_answer_follows_the_call_until_its_person_did(bench: Bench, agent: str) -> None:
    bench.model.script("inquirer__ask", ask=ASK)
    process = bench.start(agent)
    found: list[dict[str, Any]] = []

    def asked() -> bool:
        found[:] = bench.world.ok("GET", "/v1/questions?state=open")["items"]
        return bool(found)

    wait_until(lambda: asked() or process.poll() is not None)
    assert found, bench.finish(process)
    # An answer that comes sooner is simply the result of the call, and nothing is followed.
    wait_until(lambda: _was_told(bench) or process.poll() is not None)
    answer = {"action": "accept", "content": {"colour": "violet-4711"}}
    bench.world.ok("POST", f"/v1/questions/{found[0]['id']}/answer", answer)
    ended = bench.finish(process)
    assert ended.code == 0, ended.err
    assert "violet-4711" in ended.out
    assert any(STATUS_TOOL in call for call in _calls(bench)), "it followed the call"


def _was_told(bench: Bench) -> bool:
    return any("asks the person something" in json.dumps(each["body"]) for each in bench.model.seen)


def _calls(bench: Bench) -> list[str]:
    """Return the names of the tools that the model called, as the agent gave them back to it."""
    messages = (message for each in bench.model.seen for message in each["body"].get("messages", []))
    return [call["function"]["name"] for message in messages for call in message.get("tool_calls") or []]


def test_an_agent_that_answers_by_itself_is_not_passed_over(bench: Bench) -> None:
    before = len(bench.world.events(type="question.asked"))
    bench.model.script("inquirer__ask", ask=ASK)
    ended = bench.finish(bench.start("claude"))
    assert ended.code == 0, ended.err
    assert "cancel" in ended.out  # what Claude answers where nobody sits at its terminal
    assert len(bench.world.events(type="question.asked")) == before

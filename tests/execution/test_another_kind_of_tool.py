"""A kind of tool that the daemon does not know, made of one provider in the test, has all that an action has."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp_server.pipes import ByHand, launched
from world import World

TOOL = "ledger__write"


class LedgerWorld(World):
    """A home whose daemon has the kind of tool of `another_kind.py`."""

    module = "tests.execution.another_kind"

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "ledger"
        self.rules = folder / "ledger.rules"
        self.rules.write_text("the first rules")
        super().__init__(folder, upstream="http://127.0.0.1:9", LEDGER=str(self.ledger))

    @contextmanager
    def events_of_agent(self) -> Iterator[Iterator[str]]:
        """Listen to what an agent is told."""
        headers = {"Authorization": f"Bearer {self.session()[1]}"}
        with httpx.stream("GET", f"{self.agent_url}/v1/events", headers=headers, timeout=60, trust_env=False) as answer:
            yield answer.iter_lines()

    def lines(self) -> list[str]:
        """Return what was written."""
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerWorld]:
    with LedgerWorld(tmp_path_factory.mktemp("world")) as made:
        made.start()
        yield made


@pytest.fixture
def server(ledger: LedgerWorld) -> Iterator[ByHand]:
    with ByHand(launched(ledger)) as started:
        started.initialize()
        yield started


def eventually(look: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to be")


def asked(server: ByHand, line: str) -> str:
    """Call the tool, and return the approval that the call waits for."""
    return str(server.call(TOOL, {"line": line})["structuredContent"]["approval_id"])


def became(server: ByHand, approval: str) -> dict[str, Any]:
    """Ask what became of a call until it has an end."""
    wanted = {"approval_id": approval, "wait_seconds": 30}
    result: dict[str, Any] = eventually(
        lambda: (
            answer
            if (answer := server.call("check_action_status", wanted))["structuredContent"]["status"]
            not in {"pending", "approved", "running"}
            else None
        )
    )
    return result


def test_it_is_listed_beside_the_others(server: ByHand, ledger: LedgerWorld) -> None:
    tools = {tool["name"]: tool for tool in server.ask("tools/list")["result"]["tools"]}
    assert set(tools) == {TOOL, "check_action_status"}
    assert tools[TOOL]["inputSchema"]["required"] == ["line"]
    token = ledger.session()[1]
    listed = ledger.agent("GET", "/v1/tools", token=token)
    (item,) = listed.json()["items"]
    assert (item["kind"], item["origin"], item["name"]) == ("ledger", "test", TOOL)
    again = ledger.agent("GET", "/v1/tools", token=token, headers={"If-None-Match": listed.headers["etag"]})
    assert again.status_code == 304
    assert ledger.agent("GET", "/v1/actions", token=token).json()["items"] == []


def test_it_waits_for_a_person_who_is_shown_what_it_would_do_and_then_runs_once(
    server: ByHand, ledger: LedgerWorld
) -> None:
    approval = asked(server, "hello")
    assert "hello" not in ledger.lines()
    shown = ledger.ok("GET", f"/v1/approvals/{approval}")
    assert (shown["kind"], shown["subject"]["origin"], shown["action"]) == ("ledger", "test", "write")
    assert shown["explanation"]["steps"][0]["inputs"] == [{"name": "line", "parts": [{"text": "hello"}]}]
    assert "no preview" in ledger.ok("GET", f"/v1/approvals/{approval}/preview")["message"]
    ledger.ok("POST", f"/v1/approvals/{approval}/approve", {})
    answer = became(server, approval)
    assert answer["structuredContent"]["status"] == "completed"
    assert answer["content"][-1] == {"type": "text", "text": "written: hello"}
    assert ledger.lines().count("hello") == 1


def test_its_events_have_the_form_that_those_of_every_kind_have(server: ByHand, ledger: LedgerWorld) -> None:
    approval = asked(server, "in the log")
    ledger.ok("POST", f"/v1/approvals/{approval}/approve", {})
    became(server, approval)
    begun = [each for each in ledger.events(type="execution.started") if each["action"] == "write"][-1]["payload"]
    requested = ledger.events(type="approval.requested")[-1]["payload"]
    for payload in (begun, requested):
        assert payload["aileron.tool.kind"] == payload["aileron.execution_mode"] == "ledger"
        assert (payload["aileron.tool.origin"], payload["aileron.tool.name"]) == ("test", "write")
        assert payload["aileron.tool.definition_hash"].startswith("sha256:")
        assert payload["aileron.tool.arguments"] == {"line": "in the log"}
        assert payload["aileron.approval.id"] == approval
    ended = ledger.events(type="execution.succeeded")[-1]
    assert ended["payload"]["aileron.execution.id"] == begun["aileron.execution.id"]
    assert ledger.verify()["ok"]


def test_what_a_person_denies_does_not_run(server: ByHand, ledger: LedgerWorld) -> None:
    approval = asked(server, "never")
    ledger.ok("POST", f"/v1/approvals/{approval}/deny", {"reason": "not this one"})
    answer = became(server, approval)
    assert answer["isError"]
    assert "not this one" in answer["content"][0]["text"]
    assert "never" not in ledger.lines()


def test_an_approval_is_void_when_its_definition_changes(server: ByHand, ledger: LedgerWorld) -> None:
    approval = asked(server, "by the old rules")
    ledger.rules.write_text(f"other rules {time.monotonic()}")
    shown = ledger.ok("GET", f"/v1/approvals/{approval}")["explanation"]
    assert not shown["complete"]
    assert "the ledger's rule book has changed since" in shown["message"]
    ledger.ok("POST", f"/v1/approvals/{approval}/approve", {})
    assert became(server, approval)["structuredContent"]["status"] == "void"
    assert "by the old rules" not in ledger.lines()


def test_a_change_of_its_list_is_told_to_agents(server: ByHand, ledger: LedgerWorld) -> None:
    server.ask("tools/list")
    with ledger.events_of_agent() as lines:
        assert next(lines) == ": listening"
        ledger.rules.write_text(f"newer rules {time.monotonic()}")
        assert next(line for line in lines if line.startswith("event: ")) == "event: tools_changed"


def test_what_is_refused_and_what_there_is_not_are_in_the_log(ledger: LedgerWorld) -> None:
    token = ledger.session()[1]
    wrong = ledger.agent("POST", f"/v1/tools/{TOOL}/call", {"arguments": {"line": 1}}, token=token)
    absent = ledger.agent("POST", "/v1/tools/no_such/call", {"arguments": {}}, token=token)
    assert (wrong.status_code, absent.status_code) == (400, 404)
    for answer, kind in ((wrong, "ledger"), (absent, "none")):
        event = ledger.ok("GET", f"/v1/audit/{answer.json()['error']['audit_id']}")
        assert (event["type"], event["payload"]["aileron.tool.kind"]) == ("action.refused", kind)


def test_a_run_that_is_killed_in_the_middle_is_of_unknown_outcome_and_not_repeated(tmp_path: Path) -> None:
    with LedgerWorld(tmp_path) as ledger:
        ledger.start()
        token = ledger.session()[1]
        body = {"arguments": {"line": "slow and deadly"}}
        approval = ledger.agent("POST", f"/v1/tools/{TOOL}/call", body, token=token).json()["approval_id"]
        ledger.ok("POST", f"/v1/approvals/{approval}/approve", {})
        eventually(ledger.lines)
        ledger.kill()
        ledger.start()
        answer = ledger.agent("GET", f"/v1/action-approvals/{approval}/result", token=token).json()
        assert (answer["status"], answer["error"]["class"]) == ("unknown", "outcome_unknown")
        (event,) = ledger.events(type="execution.unknown")
        assert (event["action"], event["payload"]["aileron.tool.kind"]) == ("write", "ledger")
        assert ledger.lines() == ["slow and deadly"]
        assert ledger.verify()["ok"]

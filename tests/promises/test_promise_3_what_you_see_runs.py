"""Promise 3: an approval is bound to the exact call and is spent once (rows H1, H2, H4)."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import World


@pytest.fixture
def ready(world: World, upstream: UpstreamProcess) -> World:
    """Offer a running world with one action that asks."""
    world.start()
    world.set_up()
    world.add_action("ship", approval=True)
    return world


def ask(world: World, token: str, path: str = "/ship") -> str:
    body = {"arguments": {"url": f"{world.upstream}{path}", "body": '{"n":1}'}}
    answer = world.agent("POST", "/v1/actions/ship/run", body, token=token)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["approval_id"])


def result(world: World, token: str, approval: str, wait: float = 20) -> dict[str, Any]:
    answer = world.agent("GET", f"/v1/action-approvals/{approval}/result?wait={wait}", token=token, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def executions(world: World) -> int:
    return len(world.events(type="execution.started"))


def test_an_approved_call_runs_once_however_many_ask_for_its_result(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    with ThreadPoolExecutor(110) as pool:
        polls = [pool.submit(result, ready, token, approval) for _ in range(100)]
        time.sleep(0.3)
        decisions = [pool.submit(ready.control, "POST", f"/v1/approvals/{approval}/approve", {}) for _ in range(8)]
        statuses = sorted(decision.result().status_code for decision in decisions)
        assert {poll.result()["status"] for poll in polls} == {"completed"}
    assert statuses == [200] + [409] * 7
    assert executions(ready) == 1
    assert len(upstream.seen("/ship")) == 1


def test_a_denied_call_never_runs_and_the_asker_hears_the_reason(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    ready.ok("POST", f"/v1/approvals/{approval}/deny", {"reason": "not on a Friday"})
    answer = result(ready, token, approval)
    assert answer["status"] == "denied"
    assert "not on a Friday" in answer["message"]
    assert answer["error"]["class"] == "approval_denied"
    assert executions(ready) == 0


def test_an_approval_is_void_when_the_action_file_changes(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    path = ready.home / "actions" / "ship.md"
    path.write_text(path.read_text() + "\nOne more line.\n")
    ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
    answer = result(ready, token, approval)
    assert answer["status"] == "void"
    assert answer["error"]["class"] == "approval_void"
    assert "the action file has changed" in answer["message"]
    assert upstream.seen("/ship") == []


def test_an_approval_is_void_when_the_action_is_disabled_meanwhile(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    ready.ok("POST", "/v1/actions/ship/disable")
    ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
    assert result(ready, token, approval)["status"] == "void"
    assert upstream.seen("/ship") == []


def test_an_approval_is_void_when_a_connector_file_changes(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    store = ready.home / "store" / "connectors" / "sha256" / ready.hashes["wellbehaved"].removeprefix("sha256:")
    manifest = store / "manifest.toml"
    manifest.chmod(0o600)
    manifest.write_text(manifest.read_text() + "\n# changed\n")
    ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
    answer = result(ready, token, approval)
    assert answer["status"] == "void"
    assert upstream.seen("/ship") == []


def test_other_arguments_or_another_session_do_not_use_an_approval_up(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    _, stranger = ready.session()
    approval = ask(ready, token)
    other = ask(ready, token, path="/other")
    assert other != approval
    assert ready.agent("GET", f"/v1/action-approvals/{approval}/result", token=stranger).status_code == 404
    ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
    assert result(ready, token, approval)["status"] == "completed"
    assert len(upstream.seen("/ship")) == 1
    assert upstream.seen("/other") == []


def test_a_pending_approval_survives_a_restart_and_can_still_be_decided(
    ready: World, upstream: UpstreamProcess
) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    ready.kill()
    ready.start()
    ready.unlock()
    assert ready.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"
    ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
    assert result(ready, token, approval)["status"] == "completed"


def test_an_approved_call_waits_for_a_locked_vault_and_then_runs_once(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    ready.kill()
    ready.start()
    ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
    time.sleep(1.5)
    assert ready.ok("GET", f"/v1/approvals/{approval}")["state"] == "approved"
    ready.unlock()
    assert result(ready, token, approval)["status"] == "completed"
    assert executions(ready) == 1


def test_a_click_on_a_decided_request_changes_nothing_and_says_why(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    ready.ok("POST", f"/v1/approvals/{approval}/deny", {})
    late = ready.control("POST", f"/v1/approvals/{approval}/approve", {})
    assert late.status_code == 409
    assert "it was denied" in late.json()["error"]["message"]
    assert ready.ok("GET", f"/v1/approvals/{approval}")["state"] == "denied"


def test_a_request_expires_and_cannot_be_approved_afterwards(ready: World, upstream: UpstreamProcess) -> None:
    ready.add_action("ship", approval=True, extra='expires = "1s"\n')
    _, token = ready.session()
    approval = ask(ready, token)
    answer = result(ready, token, approval)
    assert answer["status"] == "expired"
    assert answer["error"]["class"] == "approval_expired"
    assert ready.control("POST", f"/v1/approvals/{approval}/approve", {}).status_code == 409
    assert executions(ready) == 0


def test_a_session_that_asks_without_end_is_stopped_at_a_limit(ready: World) -> None:
    _, token = ready.session()
    for _ in range(50):
        ask(ready, token)
    body = {"arguments": {"url": f"{ready.upstream}/x", "body": "{}"}}
    refused = ready.agent("POST", "/v1/actions/ship/run", body, token=token)
    assert refused.status_code == 424
    assert refused.json()["error"]["class"] == "resource_limit_exceeded"

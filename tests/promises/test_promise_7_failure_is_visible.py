"""Promise 7: every failure has a class, a boundary and an audit id; nothing is repeated into a double effect."""

import json
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import WELLBEHAVED, World


@pytest.fixture
def ready(world: World, upstream: UpstreamProcess) -> World:
    """Offer a running world with a writing and a reading action."""
    world.start()
    world.set_up()
    world.add_action("post")
    world.add_action("get", op="get_json", inputs={"url": "${args.url}"})
    return world


def fail(world: World, path: str = "/x", action: str = "post", **arguments: Any) -> dict[str, Any]:
    """Run an action that fails, and insist that its envelope is whole and its audit id in the log."""
    given = {"url": f"{world.upstream}{path}"} | ({"body": "{}"} if action == "post" else {}) | arguments
    answer = world.control("POST", f"/v1/actions/{action}/run", {"arguments": given})
    assert answer.status_code >= 400, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"class", "message", "retriable", "boundary", "audit_id", "details"}
    assert world.ok("GET", f"/v1/audit/{error['audit_id']}")["failure_class"] == error["class"]
    return error


def test_a_service_that_refuses_is_an_external_api_error(ready: World, upstream: UpstreamProcess) -> None:
    upstream.behave("/x", status=404)
    error = fail(ready)
    assert (error["class"], error["boundary"]) == ("external_api_error", "external")


def test_a_write_that_met_a_503_is_sent_once(ready: World, upstream: UpstreamProcess) -> None:
    upstream.behave("/x", status=503)
    assert fail(ready)["class"] == "external_api_error"
    assert len(upstream.seen("/x")) == 1


def test_a_read_that_met_a_503_is_tried_again_and_each_try_is_in_the_log(
    ready: World, upstream: UpstreamProcess
) -> None:
    upstream.behave("/x", status=503, times=2)
    answer = ready.control("POST", "/v1/actions/get/run", {"arguments": {"url": f"{ready.upstream}/x"}})
    assert answer.status_code == 200, answer.text
    assert len(upstream.seen("/x")) == 3
    steps = ready.ok("GET", f"/v1/audit/{answer.json()['audit_id']}")["payload"]["aileron.execution.steps"]
    assert [attempt["status"] for attempt in steps[0]["attempts"]] == [503, 503, 200]


def test_a_write_whose_answer_was_lost_is_of_unknown_outcome(ready: World, upstream: UpstreamProcess) -> None:
    upstream.behave("/x", reset="after_body")
    error = fail(ready)
    assert error["class"] == "outcome_unknown"
    assert error["retriable"] is False
    assert len(upstream.seen("/x")) == 1
    assert ready.events(type="execution.unknown")


def test_a_service_that_is_not_there_is_a_network_error(ready: World, upstream: UpstreamProcess) -> None:
    ready.stop()
    with UpstreamProcess() as gone:
        host_port = gone.host_port
    text = (ready.home / "config.toml").read_text().replace(ready.host_port, host_port)
    (ready.home / "config.toml").write_text(text)
    ready.host_port, ready.upstream = host_port, f"http://{host_port}"
    ready.start()
    ready.unlock()
    ready.install("wellbehaved")
    ready.ok("POST", "/v1/bindings/rebind", {"connector": WELLBEHAVED, "name": "api_key/wellbehaved/default"})
    ready.add_action("post")
    error = fail(ready)
    assert (error["class"], error["boundary"]) == ("network_error", "external")


def test_a_locked_vault_is_said_before_anything_starts(ready: World, upstream: UpstreamProcess) -> None:
    ready.ok("POST", "/v1/vault/lock")
    error = fail(ready)
    assert (error["class"], error["boundary"]) == ("vault_locked", "user")
    assert ready.events(type="execution.started") == []


def test_a_missing_binding_names_the_command_that_mends_it(ready: World) -> None:
    ready.control("DELETE", "/v1/bindings", params={"name": "api_key/wellbehaved/default"})
    error = fail(ready)
    assert error["class"] == "binding_required"
    assert error["details"]["command"] == f"aileron binding add {WELLBEHAVED}"


def test_two_bindings_are_never_guessed_between(ready: World, upstream: UpstreamProcess) -> None:
    second = {"connector": WELLBEHAVED, "identity": "work", "value": {"type": "api_key", "key": "another-key-entirely"}}
    ready.ok("POST", "/v1/bindings", second)
    error = fail(ready)
    assert error["class"] == "binding_required"
    assert set(error["details"]["candidates"]) == {"api_key/wellbehaved/default", "api_key/wellbehaved/work"}
    ready.ok("POST", "/v1/bindings/rebind", {"connector": WELLBEHAVED, "name": "api_key/wellbehaved/work"})
    body = {"arguments": {"url": f"{ready.upstream}/x", "body": "{}"}}
    assert ready.control("POST", "/v1/actions/post/run", body).status_code == 200
    assert upstream.seen("/x")[-1].headers["authorization"] == "Bearer another-key-entirely"


def test_a_connector_that_was_changed_on_disk_is_a_hash_mismatch(ready: World) -> None:
    store = ready.home / "store" / "connectors" / "sha256" / ready.hashes["wellbehaved"].removeprefix("sha256:")
    wasm = store / "connector.wasm"
    wasm.chmod(0o600)
    wasm.write_bytes(wasm.read_bytes() + b"\0")
    assert fail(ready)["class"] == "hash_mismatch"


def test_arguments_that_do_not_fit_are_all_named(ready: World) -> None:
    error = fail(ready, url=7, body=True, more="x")
    assert error["class"] == "invalid_arguments"
    assert len(error["details"]["problems"]) == 3


def test_an_action_that_is_not_there_is_said_with_how_to_find_those_that_are(ready: World) -> None:
    error = fail(ready, action="nothing")
    assert error["class"] == "not_found"
    assert "aileron action list" in error["message"]


def test_a_rule_that_denies_is_audited_with_its_reason(world: World, upstream: UpstreamProcess) -> None:
    with (world.home / "config.toml").open("a") as config:
        config.write('[approvals.rules.post]\ndecision = "deny"\nreason = "frozen for the release"\n')
        config.write('[approvals.rules.ask]\ndecision = "allow"\nreason = "the nightly pipeline"\n')
    world.start()
    world.set_up()
    world.add_action("post")
    world.add_action("ask", approval=True)
    error = fail(world)
    assert error["class"] == "approval_denied"
    assert "frozen for the release" in error["message"]
    body = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
    assert world.control("POST", "/v1/actions/ask/run", body).status_code == 200
    started = world.events(type="execution.started")[-1]
    assert started["payload"]["aileron.approval.unattended_reason"] == "the nightly pipeline"


def test_a_two_step_action_says_which_steps_were_done_before_it_failed(ready: World, upstream: UpstreamProcess) -> None:
    path = ready.add_action("two")
    text = path.read_text()
    second = text[text.index("[[execute]]") : text.index("+++\n# two")].replace('"call"', '"again"')
    path.write_text(text.replace("+++\n# two", f"{second}+++\n# two"))
    upstream.behave("/x", json={"ok": True}, times=1)
    upstream.behave("/x", status=422)
    error = fail(ready, action="two", body=json.dumps({}))
    assert error["class"] == "external_api_error"
    assert error["details"].get("completed_steps", []) == ([] if len(upstream.seen("/x")) == 1 else ["call"])

"""Promise 6 (rows W2, P1, P2): a connector reaches what its manifest names, an action what it declares."""

import json
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import World


@pytest.fixture
def ready(world: World, upstream: UpstreamProcess) -> World:
    """Offer a running world with both connectors."""
    world.start()
    world.set_up("wellbehaved", "hostile")
    return world


def hostile(world: World, op: str, inputs: dict[str, str] | None = None, timeout: str = "2s") -> dict[str, Any]:
    """Run one op of the hostile connector and return the error of its envelope."""
    name = op.replace("_", "-")
    world.add_action(name, connector="hostile", op=op, capabilities=("mischief",), inputs=inputs or {}, timeout=timeout)
    answer = world.control("POST", f"/v1/actions/{name}/run", {"arguments": {}})
    assert not answer.is_success, f"{op} went through: {answer.text}"
    error: dict[str, Any] = answer.json()["error"]
    return error


def refusal(world: World, op: str, inputs: dict[str, str]) -> str:
    """Run an op of the hostile connector that asks for what it must not have; return the code it was refused with."""
    name = op.replace("_", "-")
    world.add_action(name, connector="hostile", op=op, capabilities=("mischief",), inputs=inputs, timeout="5s")
    answer = world.control("POST", f"/v1/actions/{name}/run", {"arguments": {}})
    assert answer.status_code == 200, answer.text
    return str(json.loads(answer.json()["result"]["refused"])["code"])


def test_an_action_uses_no_capability_it_did_not_declare(ready: World, upstream: UpstreamProcess) -> None:
    ready.add_action("sneaky", op="post_json", capabilities=("items:read",))
    body = {"arguments": {"url": f"{ready.upstream}/x", "body": "{}"}}
    answer = ready.control("POST", "/v1/actions/sneaky/run", body)
    assert answer.status_code == 403
    assert (answer.json()["error"]["class"], answer.json()["error"]["boundary"]) == ("capability_denied", "action")
    assert upstream.requests == []
    assert ready.events(type="action.refused")[-1]["id"] == answer.json()["error"]["audit_id"]


def test_an_operation_the_manifest_does_not_have_is_refused(ready: World) -> None:
    error = hostile(ready, "no_such_op")
    assert (error["class"], error["boundary"]) == ("capability_denied", "connector_manifest")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/steal",
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://localhost/",
        "http://0x7f000001/",
        "file:///etc/passwd",
        "{upstream}@evil.example/",
        "http://evil.example\\@{host}/",
    ],
)
def test_a_connector_reaches_no_host_its_manifest_does_not_name(
    ready: World, upstream: UpstreamProcess, url: str
) -> None:
    target = url.format(upstream=ready.upstream, host=ready.host_port)
    code = refusal(ready, "other_host", {"url": target})
    assert code in {"denied", "bad_request"}
    assert upstream.requests == []
    if code == "denied":
        event = ready.events(type="connector.request_denied")[-1]
        assert event["failure_class"] == "capability_denied"
        assert event["payload"]["aileron.denials"][0]["rule"] == "host"


def test_the_header_of_the_credential_cannot_be_set_by_the_connector(ready: World, upstream: UpstreamProcess) -> None:
    for header in ("Authorization", "authorization", "AUTHORIZATION"):
        inputs = {"url": f"{ready.upstream}/x", "header": header, "value": "mine"}
        assert refusal(ready, "override_header", inputs) == "denied"
    assert upstream.requests == []


@pytest.mark.parametrize("header", ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Proxy-Authorization"])
def test_headers_that_steer_the_connection_cannot_be_set(ready: World, upstream: UpstreamProcess, header: str) -> None:
    inputs = {"url": f"{ready.upstream}/x", "header": header, "value": "evil.example"}
    assert refusal(ready, "override_header", inputs) == "denied"
    assert upstream.requests == []


def test_a_redirect_to_another_host_is_not_followed_and_carries_no_credential(
    ready: World, upstream: UpstreamProcess
) -> None:
    with UpstreamProcess() as elsewhere:
        upstream.behave("/away", redirect=f"{elsewhere.url}/caught")
        assert refusal(ready, "other_host", {"url": f"{ready.upstream}/away"}) == "denied"
        assert elsewhere.requests == []


def test_a_private_address_needs_the_persons_leave_although_the_manifest_names_it(
    world: World, upstream: UpstreamProcess
) -> None:
    (world.home / "config.toml").write_text("[network]\nallow_private = []\n")
    world.start()
    world.set_up()
    world.add_action("post")
    body = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
    answer = world.control("POST", "/v1/actions/post/run", body)
    assert answer.json()["error"]["class"] == "capability_denied"
    assert upstream.requests == []
    # Nobody is asked about a call that is sure to be refused, and whoever reads the answer knows what opens the way.
    world.add_action("asked", approval=True)
    refused = world.control("POST", "/v1/actions/asked/run", body).json()["error"]
    assert refused["class"] == "capability_denied"
    assert f'adds "{world.host_port}" to network.allow_private (aileron config edit' in refused["message"]
    assert world.ok("GET", "/v1/approvals")["items"] == []
    assert any(event["id"] == refused["audit_id"] for event in world.events())
    text = (world.home / "actions" / "asked.md").read_text()
    checked = world.ok("POST", "/v1/actions/check", {"text": text, "file": "asked.md"})
    assert [problem["problem"] for problem in checked["problems"]] == [refused["message"]]
    # The list says the same as a call would.
    asked = next(item for item in world.ok("GET", "/v1/actions")["items"] if item["name"] == "asked")
    assert (asked["state"], [problem["problem"] for problem in asked["problems"]]) == ("blocked", [refused["message"]])


@pytest.mark.parametrize(
    ("op", "classes"),
    [
        ("spin", {"resource_limit_exceeded"}),
        ("eat_memory", {"resource_limit_exceeded", "connector_runtime_error"}),
        ("huge_output", {"resource_limit_exceeded", "connector_runtime_error"}),
        ("stack_overflow", {"resource_limit_exceeded", "connector_runtime_error"}),
        ("outside_memory", {"connector_runtime_error"}),
        ("trap", {"connector_runtime_error"}),
        ("garbage", {"connector_runtime_error"}),
        ("non_utf8", {"connector_runtime_error"}),
        ("deep_json", {"connector_runtime_error", "resource_limit_exceeded"}),
    ],
)
def test_a_call_that_runs_wild_ends_in_a_failure_and_the_daemon_goes_on(
    ready: World, op: str, classes: set[str]
) -> None:
    error = hostile(ready, op)
    assert error["class"] in classes, error
    assert any(e["id"] == error["audit_id"] for e in ready.events(type="execution.failed"))
    ready.add_action("after", op="echo", inputs={}, capabilities=("items:read",))
    assert ready.control("POST", "/v1/actions/after/run", {"arguments": {}}).status_code in {200, 400}


def test_a_connector_that_floods_the_log_is_cut_short(ready: World) -> None:
    ready.add_action("flood", connector="hostile", op="flood_log", capabilities=("mischief",), inputs={}, timeout="5s")
    ready.control("POST", "/v1/actions/flood/run", {"arguments": {}})
    log = (ready.home / "logs" / "daemon.jsonl").read_text()
    assert log.count('"connector.log"') < 300
    assert len(log) < 1_000_000

"""Promise 2: nothing an agent can hold approves, reads a secret, changes policy, or reads another session (row H3)."""

import re
from typing import Any

import pytest
from world import API_KEY, World

AGENT_ROUTES = {
    ("get", "/healthz"),
    ("get", "/v1/tools"),
    ("post", "/v1/tools/{name}/call"),
    ("get", "/v1/actions"),
    ("post", "/v1/actions/{name}/run"),
    ("get", "/v1/action-approvals/{approval_id}/result"),
    ("get", "/v1/events"),
    ("get", "/v1/tool-servers"),
    ("post", "/v1/tool-questions/{question_id}/answer"),
}


@pytest.fixture
def pending(world: World) -> dict[str, Any]:
    """Offer a world in which one session waits for a decision and another looks on."""
    world.start()
    world.set_up()
    world.add_action("ship", approval=True)
    asker, token = world.session()
    other, other_token = world.session()
    body = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
    asked = world.agent("POST", "/v1/actions/ship/run", body, token=token)
    assert asked.status_code == 202, asked.text
    return {
        "approval": asked.json()["approval_id"],
        "session": asker,
        "token": token,
        "other_token": other_token,
        "other": other,
    }


def routes_of(schema: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method, path) for path, methods in schema["paths"].items() for method in methods}


def filled(path: str, pending: dict[str, Any]) -> str:
    known = {"approval_id": pending["approval"], "session_id": pending["session"], "name": "ship"}
    return re.sub(r"{(\w+)}", lambda match: known.get(match[1], "x"), path)


def credentials(world: World, pending: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return every form in which an agent could present what it holds."""
    token = pending["token"]
    return {
        "its token": {"Authorization": f"Bearer {token}"},
        "its token as basic": {"Authorization": f"Basic {token}"},
        "its token, lower-case scheme": {"Authorization": f"bearer {token}"},
        "its token twice": {"Authorization": f"Bearer {token}, Bearer {token}"},
        "its token as a cookie": {"Cookie": f"aileron_session={token}"},
        "its token as csrf": {"X-CSRF-Token": token},
        "its session id": {"Authorization": f"Bearer {pending['session']}"},
        "the approval id": {"Authorization": f"Bearer {pending['approval']}"},
        "an empty bearer": {"Authorization": "Bearer"},
        "nothing": {},
    }


def test_no_route_of_the_control_api_opens_to_what_an_agent_holds(world: World, pending: dict[str, Any]) -> None:
    routes = routes_of(world.ok("GET", "/openapi.json"))
    assert len(routes) > 35
    for label, headers in credentials(world, pending).items():
        for method, path in sorted(routes - {("get", "/healthz")}):
            answer = world._client.request(
                method, world.control_url + filled(path, pending), headers=headers, json={}, follow_redirects=False
            )
            assert answer.status_code in {401, 403}, f"{label}: {method} {path} answered {answer.status_code}"
    assert world.ok("GET", f"/v1/approvals/{pending['approval']}")["state"] == "pending"


def test_the_pages_show_and_change_nothing_for_what_an_agent_holds(world: World, pending: dict[str, Any]) -> None:
    url = f"{world.control_url}/approvals/{pending['approval']}"
    for label, headers in credentials(world, pending).items():
        shown = world._client.get(url, headers=headers)
        assert shown.status_code in {401, 403}, label
        assert "Approve once" not in shown.text
        decided = world._client.post(url, headers=headers, data={"verdict": "approve", "csrf": ""})
        assert decided.status_code in {401, 403}, label
    assert world.ok("GET", f"/v1/approvals/{pending['approval']}")["state"] == "pending"


def test_the_agent_api_has_no_route_that_decides(world: World, pending: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {pending['token']}"}
    schema = world._client.get(world.agent_url + "/openapi.json", headers=headers).json()
    assert routes_of(schema) == AGENT_ROUTES


def test_every_control_route_asked_of_the_agent_api_is_refused(world: World, pending: dict[str, Any]) -> None:
    for method, path in sorted(routes_of(world.ok("GET", "/openapi.json")) - AGENT_ROUTES):
        answer = world.agent(method.upper(), filled(path, pending), {}, token=pending["token"])
        assert answer.status_code in {404, 405}, f"{method} {path} answered {answer.status_code}"
    assert world.ok("GET", f"/v1/approvals/{pending['approval']}")["state"] == "pending"


def test_another_session_cannot_read_or_wait_for_an_approval(world: World, pending: dict[str, Any]) -> None:
    path = f"/v1/action-approvals/{pending['approval']}/result"
    assert world.agent("GET", path, token=pending["other_token"]).status_code == 404
    assert world.agent("GET", path, token=pending["token"]).json()["status"] == "pending"


def test_a_token_does_what_its_capabilities_say_and_no_more(world: World, pending: dict[str, Any]) -> None:
    wanted = {
        "actions:list": ("GET", "/v1/actions"),
        "actions:run": ("POST", "/v1/actions/ship/run"),
        "approvals:poll": ("GET", f"/v1/action-approvals/{pending['approval']}/result"),
    }
    also = {("GET", "/v1/tools"): "actions:list", ("POST", "/v1/tools/ship/call"): "actions:run"}
    for granted in wanted:
        _, token = world.session(capabilities=[granted])
        for needed, (method, path) in wanted.items():
            answer = world.agent(method, path, {"arguments": {}} if method == "POST" else None, token=token)
            assert (answer.status_code == 403) == (needed != granted), (granted, needed, answer.text)
        for (method, path), needed in also.items():
            answer = world.agent(method, path, {"arguments": {}} if method == "POST" else None, token=token)
            assert (answer.status_code == 403) == (needed != granted), (granted, path, answer.text)


def test_a_token_is_dead_when_its_session_ends(world: World, pending: dict[str, Any]) -> None:
    world.ok("POST", f"/v1/sessions/{pending['session']}/end")
    assert world.agent("GET", "/v1/actions", token=pending["token"]).status_code == 401
    assert world.ok("GET", f"/v1/approvals/{pending['approval']}")["state"] == "void"


def test_a_token_survives_a_restart_only_while_its_session_is_open(world: World, pending: dict[str, Any]) -> None:
    world.stop()
    world.start()
    assert world.agent("GET", "/v1/actions", token=pending["token"]).status_code == 200


def test_probing_is_audited_and_cannot_fill_the_log(world: World, pending: dict[str, Any]) -> None:
    for _ in range(60):
        world._client.post(
            f"{world.control_url}/v1/approvals/{pending['approval']}/approve",
            headers={"Authorization": f"Bearer {pending['token']}"},
            json={},
        )
    probes = world.events(type="session.denied")
    assert 20 <= len(probes) <= 40
    assert {event["session"] for event in probes} == {pending["session"]}
    assert probes[0]["payload"]["url.path"].endswith("/approve")


def test_a_page_of_another_origin_or_a_rebound_name_reaches_nothing(world: World, pending: dict[str, Any]) -> None:
    master = {"Authorization": f"Bearer {world.discovery['token']}"}
    port = world.control_url.rsplit(":", 1)[1]
    for headers in (
        {"Host": f"evil.example:{port}"},
        {"Host": f"localhost:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        answer = world._client.get(world.control_url + "/v1/status", headers=master | headers)
        assert answer.status_code == 403, headers
        assert "access-control-allow-origin" not in answer.headers


def test_no_answer_to_an_agent_holds_the_key(world: World, pending: dict[str, Any]) -> None:
    for path in ("/v1/actions", "/openapi.json", f"/v1/action-approvals/{pending['approval']}/result"):
        assert API_KEY not in world.agent("GET", path, token=pending["token"]).text


def test_the_token_of_a_sandbox_opens_nothing_at_the_listener_of_this_machine(world: World) -> None:
    world.start()
    session, token = world.session(kind="sandbox")
    _, host_token = world.session(kind="host")
    for method, path in AGENT_ROUTES - {("get", "/healthz")}:
        answer = world.agent(
            method.upper(), path.format(name="ship", approval_id="apr_1", question_id="q_1"), {}, token=token
        )
        assert answer.status_code == 401, (method, path)
        assert "belongs to a sandbox" in answer.json()["error"]["message"]
    for place, key in ((token, None), (session, token), (host_token, token)):
        headers = {} if key is None else {"X-Api-Key": key}
        refused = world._client.post(f"{world.agent_url}/llm/{place}/v1/messages", json={}, headers=headers)
        assert refused.status_code == 403, place
    assert world.agent("GET", "/v1/actions", token=host_token).status_code == 200
    reasons = [event["payload"]["reason"] for event in world.events(type="session.denied", session=session)]
    assert len(reasons) == len(AGENT_ROUTES) - 1
    assert all("belongs to a sandbox" in reason for reason in reasons)

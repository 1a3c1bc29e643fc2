"""What an agent gets over the pipe, with the protocol written by hand."""

from typing import Any

import pytest
from mcp_server.pipes import HANDSHAKE, MODERN, ByHand, environment, launched
from services.upstream import UpstreamProcess
from world import API_KEY, World


@pytest.fixture
def server(world: World) -> Any:
    with ByHand(launched(world)) as started:
        yield started


def test_there_is_a_tool_for_each_action_and_one_to_ask_what_became_of_it(server: ByHand) -> None:
    server.initialize()
    tools = {tool["name"]: tool for tool in server.ask("tools/list")["result"]["tools"]}
    assert set(tools) == {"post_item", "put_item", "ask_first", "check_action_status"}
    assert "A test action." in tools["post_item"]["description"]
    assert "approve" in tools["ask_first"]["description"]
    assert set(tools["post_item"]["inputSchema"]["properties"]) == {"url", "body"}
    assert tools["post_item"]["annotations"]["idempotentHint"] is False
    assert tools["put_item"]["annotations"]["idempotentHint"] is True
    assert all(tool["annotations"]["readOnlyHint"] is False for name, tool in tools.items() if name.endswith("item"))


def test_a_finished_action_is_told_in_words_and_as_data(server: ByHand, item: dict[str, Any]) -> None:
    server.initialize()
    result = server.call("post_item", item)
    assert result["isError"] is False
    assert '"ok": true' in result["content"][0]["text"]
    assert result["structuredContent"]["result"] == {"status": 200, "body": {"ok": True}}
    assert result["structuredContent"]["audit_id"].startswith("aud_")


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_an_action_that_needs_a_person_answers_at_once_and_is_followed_by_asking(
    server: ByHand, world: World, upstream: UpstreamProcess, item: dict[str, Any], decision: str
) -> None:
    server.initialize()
    before = len(upstream.seen("/item"))
    waiting = server.call("ask_first", item)
    approval = waiting["structuredContent"]["approval_id"]
    text = waiting["content"][0]["text"]
    assert waiting["isError"] is False
    for told in (approval, waiting["structuredContent"]["review_url"], f"aileron approval show {approval[-8:]}"):
        assert told in text
        assert told in str(waiting["structuredContent"])
    assert "check_action_status" in text
    pending = server.call("check_action_status", {"approval_id": approval, "wait_seconds": 0})
    assert pending["structuredContent"]["status"] == "pending"
    assert len(upstream.seen("/item")) == before
    asking = server.send(
        "tools/call", {"name": "check_action_status", "arguments": {"approval_id": approval, "wait_seconds": 40}}
    )
    world.ok("POST", f"/v1/approvals/{approval}/{decision}", {})
    result = server.answer(asking)["result"]
    if decision == "approve":
        assert (result["isError"], result["structuredContent"]["status"]) == (False, "completed")
        assert result["structuredContent"]["result"]["status"] == 200
        assert len(upstream.seen("/item")) == before + 1
    else:
        assert (result["isError"], result["structuredContent"]["status"]) == (True, "denied")
        assert "approval_denied" in result["content"][0]["text"]
        assert len(upstream.seen("/item")) == before


def test_a_failure_is_told_in_words_and_as_data(server: ByHand) -> None:
    server.initialize()
    result = server.call("post_item", {"url": 3})
    assert result["isError"] is True
    error = result["structuredContent"]["error"]
    assert set(error) == {"class", "message", "audit_id"}  # its details say what the message says
    assert result["content"][0]["text"].startswith(result["structuredContent"]["next_step"])
    assert error["class"] == "invalid_arguments"
    for told in (error["class"], error["message"], error["audit_id"]):
        assert told in result["content"][0]["text"]


def test_a_tool_that_is_not_there_names_those_that_are(server: ByHand) -> None:
    server.initialize()
    result = server.call("posst_item", {})
    assert result["isError"] is True
    assert "post_item" in result["content"][0]["text"]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"approval_id": 7},
        {"approval_id": "apr_x", "wait_seconds": "long"},
        {"approval_id": "apr_not_mine"},
        {"approval_id": "apr_x", "wait_seconds": 10**400},
    ],
)
def test_asking_after_something_that_is_not_there_is_an_answer(server: ByHand, arguments: dict[str, Any]) -> None:
    server.initialize()
    assert server.call("check_action_status", arguments)["isError"] is True


def test_progress_is_reported_only_to_those_who_asked_for_it(
    server: ByHand, world: World, item: dict[str, Any]
) -> None:
    server.initialize()
    approval = server.call("ask_first", item)["structuredContent"]["approval_id"]
    question = {"approval_id": approval, "wait_seconds": 6}
    server.call("check_action_status", question)
    assert [m for m in server.notifications if m["method"] == "notifications/progress"] == []
    server.call("check_action_status", question, _meta={"progressToken": "mine"})
    progress = server.wait_for_notification("notifications/progress")
    assert progress["params"]["progressToken"] == "mine"
    world.ok("POST", f"/v1/approvals/{approval}/deny", {})


def test_a_new_action_is_announced_and_can_be_called_also_by_those_who_did_not_look(
    server: ByHand, world: World, item: dict[str, Any]
) -> None:
    server.initialize()
    assert "brand_new" not in server.tools()
    path = world.add_action("brand-new")
    server.wait_for_notification("notifications/tools/list_changed")
    assert "brand_new" in server.tools()
    path.unlink()
    server.wait_for_notification("notifications/tools/list_changed")
    assert "brand_new" not in server.tools()
    world.add_action("unseen")
    assert server.call("unseen", item)["isError"] is False


def test_the_newer_era_discovers_subscribes_and_calls(world: World, item: dict[str, Any]) -> None:
    with ByHand(launched(world)) as server:
        found = server.ask("server/discover", {"_meta": MODERN})["result"]
        assert "2026-07-28" in found["supportedVersions"]
        listed = server.ask("tools/list", {"_meta": MODERN})["result"]["tools"]
        assert "post_item" in {tool["name"] for tool in listed}
        server.send("subscriptions/listen", {"_meta": MODERN, "notifications": {"toolsListChanged": True}})
        server.wait_for_notification("notifications/subscriptions/acknowledged")
        path = world.add_action("for-listeners")
        server.wait_for_notification("notifications/tools/list_changed")
        result = server.ask("tools/call", {"_meta": MODERN, "name": "post_item", "arguments": item})["result"]
        assert result["isError"] is False
        path.unlink()


def test_a_client_that_asks_in_the_newer_way_and_falls_back_is_served(world: World) -> None:
    with ByHand(launched(world)) as server:
        server.ask("server/discover", {"_meta": MODERN})
    with ByHand(launched(world)) as server:
        assert server.ask("no/such/method")["error"]["code"] == -32601
        assert server.ask("initialize", HANDSHAKE)["result"]["serverInfo"]["name"] == "aileron"


def test_cancelling_what_is_done_and_writing_nonsense_leave_it_running(server: ByHand, item: dict[str, Any]) -> None:
    server.initialize()
    request = server.send("tools/call", {"name": "post_item", "arguments": item})
    server.answer(request)
    server.notify("notifications/cancelled", {"requestId": request, "reason": "AbortError"})
    server.write("{not json")
    server.write('{"jsonrpc": "2.0", "id": 77}')
    server.write("[]")
    assert server.call("post_item", item)["isError"] is False


def test_it_never_asks_the_client_anything(server: ByHand, item: dict[str, Any]) -> None:
    # A headless agent aborts its whole run when it is asked to ask.
    server.initialize()
    server.call("ask_first", item)
    server.call("post_item", {})
    assert [m for m in server.notifications if "id" in m] == []


def test_a_key_is_never_seen_on_the_pipe(world: World, upstream: UpstreamProcess) -> None:
    with ByHand(launched(world)) as server:
        server.initialize()
        upstream.behave("/echo", json={"you_sent": API_KEY})
        result = server.call("post_item", {"url": f"{world.upstream}/echo", "body": "{}"})
        assert result["isError"] is False
        assert API_KEY not in str(result)
        assert any(API_KEY in str(seen.headers) for seen in upstream.seen("/echo"))


def test_without_a_launch_it_finds_the_daemon_of_this_account_and_ends_its_session(
    world: World, item: dict[str, Any]
) -> None:
    with ByHand(environment(AILERON_HOME=str(world.home))) as server:
        server.initialize()
        assert server.call("post_item", item)["isError"] is False
        mine = [s for s in world.ok("GET", "/v1/sessions?active=true")["items"] if s["owner_pid"] == server.process.pid]
        assert len(mine) == 1
        assert server.end_input() == 0
    assert world.ok("GET", f"/v1/sessions/{mine[0]['id']}")["ended_at"] is not None

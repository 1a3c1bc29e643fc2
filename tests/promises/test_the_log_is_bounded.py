"""No token fills the disk through what is logged about it: row R3, over the wire."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import World

MIB = 1024 * 1024


@pytest.fixture
def small(tmp_path: Path, upstream: UpstreamProcess) -> Iterator[World]:
    """Offer an installation in which each session may write one MiB an hour."""
    upstream.behave("/item", json={"ok": True})
    with World(tmp_path, upstream=upstream.url, settings='[audit]\nsession_hourly = "1MiB"\n') as made:
        made.start()
        made.set_up()
        made.add_action("post-item")
        yield made


def call(world: World, token: str, text: str, *, action: str = "post-item") -> Any:
    body = {"arguments": {"url": f"{world.upstream}/item", "body": json.dumps({"text": text})}}
    return world.agent("POST", f"/v1/actions/{action}/run", body, token=token)


def test_refusals_without_end_are_counted_and_each_answer_names_an_event_that_is_there(small: World) -> None:
    session, token = small.session()
    answers = [call(small, token, "x", action="no-such-action") for _ in range(300)]
    assert {answer.status_code for answer in answers} == {404}
    named = {answer.json()["error"]["audit_id"] for answer in answers}
    small.stop()
    small.start()
    events = small.events(session=session, type="action.refused")
    assert named <= {event["id"] for event in events}
    assert len(events) < 40
    listed = sum(1 for event in events if event["failure_class"] == "not_found")
    counted = sum(event["payload"].get("aileron.refusals.count", 0) for event in events)
    assert listed + counted == 300


def test_the_largest_arguments_are_logged_by_digest_and_refused_past_the_sessions_share(small: World) -> None:
    session, token = small.session()
    _, other = small.session()
    answers = [call(small, token, f"{number:04}" + "x" * 300_000) for number in range(12)]
    ran = [answer for answer in answers if answer.status_code == 200]
    refused = [answer.json()["error"] for answer in answers if answer.status_code != 200]
    assert 3 <= len(ran) <= 5
    assert {error["class"] for error in refused} == {"resource_limit_exceeded"}
    assert {error["details"]["limit"] for error in refused} == {"audit.session_hourly"}
    assert call(small, other, "short").status_code == 200

    started = small.events(session=session, type="execution.started")
    assert len(started) == len(ran)
    assert max(len(json.dumps(event)) for event in started) < 20_000
    shown = small.ok("GET", f"/v1/audit/{started[0]['id']}")
    assert shown["attachments"]["aileron.action.arguments"]["body"].endswith('xxx"}')
    storage = small.ok("GET", "/v1/status")["storage"]
    assert storage["attachment_bytes"] > 900_000
    assert storage["database_bytes"] < 2 * MIB
    assert small.verify()["ok"]


def test_a_full_budget_stops_new_work_and_nothing_of_the_persons(tmp_path: Path, upstream: UpstreamProcess) -> None:
    upstream.behave("/item", json={"ok": True})
    with World(tmp_path, upstream=upstream.url, settings='[audit]\nbudget = "3MiB"\n') as world:
        world.start()
        world.set_up()
        world.add_action("post-item")
        _, token = world.session()
        seen = []
        for number in range(14):
            answer = call(world, token, f"{number:04}" + "x" * 300_000)
            seen.append((world.ok("GET", "/v1/status")["storage"]["state"], answer.status_code))
        assert ("warning", 200) in seen  # it is said while work still goes on
        assert seen[-1] == ("full", 424)
        error = call(world, token, "x").json()["error"]
        assert (error["class"], error["details"]["limit"]) == ("resource_limit_exceeded", "audit.budget")
        (check,) = (item for item in world.ok("GET", "/v1/checks")["items"] if item["name"] == "log budget")
        assert check["status"] == "failed"
        assert "[audit] budget" in check["remedy"]
        world.ok("POST", "/v1/vault/lock", {})
        assert world.verify()["ok"]

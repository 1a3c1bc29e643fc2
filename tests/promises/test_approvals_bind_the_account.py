"""Promise 3, row H7: what a person approves says as which account it runs, and it runs as no other."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from former import put_approval, turn_back
from services.upstream import UpstreamProcess
from world import API_KEY, PASSPHRASE, WELLBEHAVED, World

NAME = "api_key/wellbehaved/default"
OTHER = "api_key/wellbehaved/other"
OTHER_KEY = "sentinel-0b1d22f09a7c4e51-other"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, _shared_upstream: UpstreamProcess) -> Iterator[World]:
    """Offer a running world with two places for runs, of which one session gets one."""
    folder = tmp_path_factory.mktemp("world")
    with World(folder, upstream=_shared_upstream.url, settings="[limits]\nmax_concurrent_runs = 2\n") as made:
        made.start()
        made.set_up()
        made.add_action("slow")
        yield made


@pytest.fixture
def ready(running: World, upstream: UpstreamProcess) -> World:
    """Offer that world with one action that asks and one binding, whatever the test before left."""
    running.unlock()
    running.add_action("ship", approval=True)
    begin_again(running)
    return running


def ask(world: World, token: str, path: str = "/ship") -> str:
    body = {"arguments": {"url": f"{world.upstream}{path}", "body": '{"n":1}'}}
    answer = world.agent("POST", "/v1/actions/ship/run", body, token=token)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["approval_id"])


def result(world: World, token: str, approval: str) -> dict[str, Any]:
    answer = world.agent("GET", f"/v1/action-approvals/{approval}/result?wait=20", token=token, timeout=60)
    found: dict[str, Any] = answer.json()
    return found


def started(world: World) -> list[str | None]:
    """Return the approvals of the runs that were started."""
    return [event["payload"].get("aileron.approval.id") for event in world.events(type="execution.started")]


def bind(world: World, identity: str, key: str, *, replace: bool = False) -> None:
    value = {"type": "api_key", "key": key}
    given = {"connector": WELLBEHAVED, "identity": identity, "value": value, "replace": replace}
    world.ok("POST", "/v1/bindings", given)


def choose(world: World, name: str) -> None:
    world.ok("POST", "/v1/bindings/rebind", {"connector": WELLBEHAVED, "name": name})


def revoke(world: World, name: str = NAME) -> None:
    assert world.control("DELETE", "/v1/bindings", params={"name": name}).is_success


def rebind(world: World) -> None:
    bind(world, "other", OTHER_KEY)
    choose(world, OTHER)


def rebind_and_back(world: World) -> None:
    rebind(world)
    choose(world, NAME)


def leave_two_to_choose_from(world: World) -> None:
    bind(world, "other", OTHER_KEY)


def revoke_and_set_up_anew(world: World) -> None:
    revoke(world)
    bind(world, "default", API_KEY)


def replace_the_value(world: World) -> None:
    bind(world, "default", OTHER_KEY, replace=True)


def make_the_vault_anew(world: World) -> None:
    """Lose the vault, and bind a key of the same name in a new one, whose count of changes begins again."""
    world.kill()
    (world.home / "vault.json").unlink()
    world.start()
    world.ok("POST", "/v1/vault/create", {"passphrase": PASSPHRASE})
    bind(world, "default", OTHER_KEY)


CHANGES: list[Callable[[World], None]] = [
    rebind,
    rebind_and_back,
    leave_two_to_choose_from,
    revoke,
    revoke_and_set_up_anew,
    replace_the_value,
    make_the_vault_anew,
]


def begin_again(world: World) -> None:
    """Leave exactly one binding, as it was at first."""
    for binding in world.ok("GET", "/v1/bindings")["items"]:
        revoke(world, binding["name"])
    bind(world, "default", API_KEY)


def test_an_approval_is_void_when_the_account_changes_before_the_run(ready: World, upstream: UpstreamProcess) -> None:
    _, token = ready.session()
    approvals = []
    for change in CHANGES:
        begin_again(ready)
        approval = ask(ready, token)
        approvals.append(approval)
        change(ready)
        ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
        answer = result(ready, token, approval)
        assert answer["status"] == "void", change.__name__
        assert answer["error"]["class"] == "approval_void", change.__name__
        assert "the account has changed" in answer["message"], change.__name__
        assert NAME in answer["message"], change.__name__
    assert upstream.seen("/ship") == []
    assert not set(started(ready)) & set(approvals)


def test_an_approval_is_void_when_the_account_changes_while_the_approved_call_waits_for_a_place(
    ready: World, upstream: UpstreamProcess
) -> None:
    upstream.behave("/slow", delay=3)
    _, token = ready.session()
    approval = ask(ready, token)
    with ThreadPoolExecutor(1) as pool:
        body = {"arguments": {"url": f"{ready.upstream}/slow", "body": "{}"}}
        slow = pool.submit(ready.agent, "POST", "/v1/actions/slow/run", body, token=token)
        upstream.wait_for(1, path="/slow")
        ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
        replace_the_value(ready)
        answer = result(ready, token, approval)
        assert slow.result().status_code == 200
    assert answer["status"] == "void"
    assert "has changed" in answer["message"]
    assert upstream.seen("/ship") == []
    assert approval not in started(ready)


def test_an_approval_shows_the_account_everywhere_and_nothing_of_the_credential(
    ready: World, upstream: UpstreamProcess
) -> None:
    _, token = ready.session()
    approval = ask(ready, token)
    (shown,) = ready.ok("GET", f"/v1/approvals/{approval}")["accounts"]
    assert (shown["connector"], shown["name"], shown["kind"]) == (WELLBEHAVED, NAME, "api_key")
    assert isinstance(shown["version"], int)
    ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
    assert result(ready, token, approval)["status"] == "completed"
    for kind in ("approval.requested", "execution.started"):
        (event,) = (e for e in ready.events(type=kind) if e["payload"].get("aileron.approval.id") == approval)
        assert event["payload"]["aileron.connector.accounts"] == [shown]
    assert API_KEY not in json.dumps(ready.events())
    assert set(shown) == {"connector", "name", "kind", "version", "seal"}


def test_a_call_whose_connector_has_no_account_is_refused_before_anybody_is_asked(
    ready: World, upstream: UpstreamProcess
) -> None:
    revoke(ready)
    session, token = ready.session()
    body = {"arguments": {"url": f"{ready.upstream}/ship", "body": "{}"}}
    refused = ready.agent("POST", "/v1/actions/ship/run", body, token=token)
    assert refused.json()["error"]["class"] == "binding_required"
    assert session not in [approval["session"] for approval in ready.ok("GET", "/v1/approvals")["items"]]


def test_a_preview_runs_under_the_account_of_the_request_or_not_at_all(ready: World, upstream: UpstreamProcess) -> None:
    preview = '[approval.preview]\nop = "get_json"\nargs = { url = "${args.url}" }\nrender = { Body = "body" }\n'
    ready.add_action("ship", approval=True, extra=preview)
    _, token = ready.session()
    first, second = ask(ready, token, "/one"), ask(ready, token, "/two")
    assert ready.ok("GET", f"/v1/approvals/{first}/preview")["available"] is True
    assert API_KEY in upstream.seen("/one")[0].headers["authorization"]
    rebind(ready)
    shown = ready.ok("GET", f"/v1/approvals/{second}/preview")
    assert shown["available"] is False
    assert f"no longer acts as {NAME}" in shown["message"]
    assert upstream.seen("/two") == []


def test_an_approval_of_a_version_that_did_not_bind_the_account_is_void_at_the_next_start(
    ready: World, upstream: UpstreamProcess
) -> None:
    session, token = ready.session()
    shown = ready.ok("GET", f"/v1/approvals/{ask(ready, token)}")
    ready.stop()
    path = ready.home / "aileron.db"
    turn_back(path)
    common = {name: shown[name] for name in ("action", "action_version", "action_hash", "arguments")}
    common |= {"session": session, "connector_hashes": shown["connectors"], "accounts": None}
    pending, approved = "apr_pending", "apr_approved"
    put_approval(path, pending, **common)
    put_approval(path, approved, state="approved", **common)
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE approvals DROP COLUMN accounts")
        database.execute("UPDATE alembic_version SET version_num = '0002'")
        database.commit()
    ready.start()
    for approval in (pending, approved):
        answer = result(ready, token, approval)
        assert answer["status"] == "void"
        assert "before approvals were bound to the account" in answer["message"]
    ready.unlock()
    assert ready.verify()["ok"] is True
    assert upstream.seen("/ship") == []

"""Promise 3, row H7: what a person approves says as which account it runs, and it runs as no other."""

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import API_KEY, PASSPHRASE, WELLBEHAVED, World

NAME = "api_key/wellbehaved/default"
OTHER = "api_key/wellbehaved/other"
OTHER_KEY = "sentinel-0b1d22f09a7c4e51-other"


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


def result(world: World, token: str, approval: str) -> dict[str, Any]:
    answer = world.agent("GET", f"/v1/action-approvals/{approval}/result?wait=20", token=token, timeout=60)
    found: dict[str, Any] = answer.json()
    return found


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
    for change in CHANGES:
        begin_again(ready)
        approval = ask(ready, token)
        change(ready)
        ready.ok("POST", f"/v1/approvals/{approval}/approve", {})
        answer = result(ready, token, approval)
        assert answer["status"] == "void", change.__name__
        assert answer["error"]["class"] == "approval_void", change.__name__
        assert "the account has changed" in answer["message"], change.__name__
        assert NAME in answer["message"], change.__name__
    assert upstream.seen("/ship") == []
    assert ready.events(type="execution.started") == []


def test_an_approval_is_void_when_the_account_changes_while_the_approved_call_waits_for_a_place(
    tmp_path: Path, upstream: UpstreamProcess
) -> None:
    upstream.behave("/slow", delay=3)
    with World(tmp_path, upstream=upstream.url, settings="[limits]\nmax_concurrent_runs = 2\n") as world:
        # Of two places a session has one.
        world.start()
        world.set_up()
        world.add_action("ship", approval=True)
        world.add_action("slow")
        _, token = world.session()
        approval = ask(world, token)
        with ThreadPoolExecutor(1) as pool:
            body = {"arguments": {"url": f"{world.upstream}/slow", "body": "{}"}}
            slow = pool.submit(world.agent, "POST", "/v1/actions/slow/run", body, token=token)
            upstream.wait_for(1, path="/slow")
            world.ok("POST", f"/v1/approvals/{approval}/approve", {})
            replace_the_value(world)
            answer = result(world, token, approval)
            assert slow.result().status_code == 200
        assert answer["status"] == "void"
        assert "has changed" in answer["message"]
        assert upstream.seen("/ship") == []
        assert len(world.events(type="execution.started")) == 1


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
        (event,) = ready.events(type=kind)
        assert event["payload"]["aileron.connector.accounts"] == [shown]
    assert API_KEY not in json.dumps(ready.events())
    assert set(shown) == {"connector", "name", "kind", "version", "seal"}


def test_a_call_whose_connector_has_no_account_is_refused_before_anybody_is_asked(
    ready: World, upstream: UpstreamProcess
) -> None:
    revoke(ready)
    _, token = ready.session()
    body = {"arguments": {"url": f"{ready.upstream}/ship", "body": "{}"}}
    refused = ready.agent("POST", "/v1/actions/ship/run", body, token=token)
    assert refused.json()["error"]["class"] == "binding_required"
    assert ready.ok("GET", "/v1/approvals")["items"] == []


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
    _, token = ready.session()
    pending, approved = ask(ready, token), ask(ready, token)
    ready.ok("POST", "/v1/vault/lock")
    ready.ok("POST", f"/v1/approvals/{approved}/approve", {})
    ready.stop()
    with closing(sqlite3.connect(ready.home / "aileron.db")) as database:
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

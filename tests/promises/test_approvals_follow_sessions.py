"""Row L3: when a session ends, in whatever way, what it had asked for is void."""

import ast
import contextlib
import subprocess
import time
from collections.abc import Callable

import httpx
import pytest
from services.upstream import UpstreamProcess
from world import ROOT, World


@pytest.fixture
def ready(world: World, upstream: UpstreamProcess) -> World:
    """Offer a running world with one action that asks."""
    world.start()
    world.set_up()
    world.add_action("ship", approval=True)
    return world


def ask(world: World, token: str) -> str:
    body = {"arguments": {"url": f"{world.upstream}/ship", "body": "{}"}}
    answer = world.agent("POST", "/v1/actions/ship/run", body, token=token)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["approval_id"])


def ended_by_the_person(world: World) -> str:
    session, token = world.session()
    approval = ask(world, token)
    world.ok("POST", f"/v1/sessions/{session}/end")
    return approval


def expired(world: World) -> str:
    return ask(world, world.session(ttl_seconds=3)[1])


def its_process_ended(world: World) -> str:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as owner:
        approval = ask(world, world.session(owner_pid=owner.pid)[1])
        owner.kill()
    return approval


def expired_while_the_daemon_was_away(world: World) -> str:
    session, token = world.session(ttl_seconds=3)
    approval = ask(world, token)
    world.kill()
    time.sleep(3)
    world.start()
    assert world.ok("GET", f"/v1/sessions/{session}")["ended_at"] is not None
    return approval


def its_process_ended_while_the_daemon_was_away(world: World) -> str:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as owner:
        approval = ask(world, world.session(owner_pid=owner.pid)[1])
        world.kill()
        owner.kill()
    world.start()
    return approval


def the_daemon_was_killed_between_the_two_ends(world: World) -> str:
    """The end of the session is on disk, and the daemon dies before those of its approvals are."""
    fault = world.folder / "fault"
    world.kill()
    world.start(AILERON_FAULT_FILE=str(fault))
    world.unlock()
    session, token = world.session()
    approval = ask(world, token)
    fault.write_text("audit.after_commit")
    with contextlib.suppress(httpx.HTTPError):
        world.control("POST", f"/v1/sessions/{session}/end")
    world.wait_dead()
    world.start()
    return approval


WAYS: list[Callable[[World], str]] = [
    ended_by_the_person,
    expired,
    its_process_ended,
    expired_while_the_daemon_was_away,
    its_process_ended_while_the_daemon_was_away,
    the_daemon_was_killed_between_the_two_ends,
]


def test_approvals_of_a_session_are_void_in_whatever_way_it_ended(ready: World, upstream: UpstreamProcess) -> None:
    for way in WAYS:
        if ready.ok("GET", "/v1/vault")["state"] == "locked":
            ready.unlock()
        approval = way(ready)
        deadline = time.monotonic() + 20
        while (shown := ready.ok("GET", f"/v1/approvals/{approval}"))["state"] == "pending":
            assert time.monotonic() < deadline, f"{way.__name__}: still pending"
            time.sleep(0.05)
        assert shown["state"] == "void", way.__name__
        assert "The session that asked has ended" in shown["outcome"]["error"]["message"], way.__name__


def test_sessions_end_in_one_function_which_tells_the_approvals() -> None:
    """A new way to end a session that goes past this function would not be noticed by the approvals."""
    places = []
    for path in (ROOT / "daemon").rglob("*.py"):
        if {"workspaces", "questions"} & set(path.parts):
            continue  # a layer and a question end, too; they have records of their own, and no part in a session's
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "ended_ms" and not is_none(node.value):
                places.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)}")
            if isinstance(node, ast.Attribute) and node.attr == "SESSION_ENDED":
                places.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)}")
    assert sorted(places) == [
        "daemon/sessions/service.py: EventType.SESSION_ENDED",
        "daemon/sessions/service.py: ended_ms=now",
        "daemon/sessions/service.py: ended_ms=now",
        "daemon/sessions/service.py: ended_ms=row.ended_ms",
    ]


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None

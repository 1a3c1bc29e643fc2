"""Row L2: an approved call that cannot start yet waits without writing; the log says once what it waits for."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import PASSPHRASE, World

WATCHED_SECONDS = 3.5
"""The daemon looks at approved calls every second, so that a loop that writes would have written three times."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, _shared_upstream: UpstreamProcess) -> Iterator[World]:
    """Offer a running world with one place for the runs of a session, an action that asks and one that does not."""
    folder = tmp_path_factory.mktemp("world")
    with World(folder, upstream=_shared_upstream.url, settings="[limits]\nmax_concurrent_runs = 2\n") as made:
        made.start()
        made.set_up()
        made.add_action("ship", approval=True)
        made.add_action("slow")
        yield made


@pytest.fixture
def ready(running: World, upstream: UpstreamProcess) -> World:
    """Offer that world with its vault unlocked and a service that has forgotten the test before."""
    running.unlock()
    return running


def arguments(world: World, path: str) -> dict[str, Any]:
    return {"arguments": {"url": f"{world.upstream}{path}", "body": "{}"}}


def ask(world: World, token: str) -> str:
    answer = world.agent("POST", "/v1/actions/ship/run", arguments(world, "/ship"), token=token)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["approval_id"])


def approve(world: World, approval: str) -> None:
    world.ok("POST", f"/v1/approvals/{approval}/approve", {})


def state(world: World, approval: str) -> str:
    return str(world.ok("GET", f"/v1/approvals/{approval}")["state"])


def wait_until(true: Callable[[], object], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def waits(world: World, *approvals: str) -> list[str]:
    """Return what the log says these approved calls waited for."""
    events = world.events(type="approval.waiting")
    return [event["failure_class"] for event in events if event["payload"]["aileron.approval.id"] in approvals]


def refused(world: World, *approvals: str) -> list[str]:
    """Return the refusals of calls that had been approved."""
    events = world.events(type="action.refused")
    return [event["id"] for event in events if event["payload"].get("aileron.approval.id") in approvals]


def test_calls_that_wait_for_a_locked_vault_write_once_each_and_run_at_the_unlock(
    ready: World, upstream: UpstreamProcess
) -> None:
    _, token = ready.session()
    approvals = [ask(ready, token) for _ in range(3)]
    ready.ok("POST", "/v1/vault/lock")
    for approval in approvals:
        approve(ready, approval)
    wait_until(lambda: len(waits(ready, *approvals)) == 3)
    before = len(ready.events())
    time.sleep(WATCHED_SECONDS)
    assert len(ready.events()) == before
    assert waits(ready, *approvals) == ["vault_locked"] * 3
    assert refused(ready, *approvals) == []
    assert {state(ready, approval) for approval in approvals} == {"approved"}
    ready.ok("POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE})
    wait_until(lambda: {state(ready, approval) for approval in approvals} == {"completed"})
    assert len(upstream.seen("/ship")) == 3


def test_an_unlock_at_the_very_moment_at_which_a_call_finds_the_vault_locked_is_not_missed(
    ready: World, upstream: UpstreamProcess
) -> None:
    _, token = ready.session()
    for _ in range(8):
        approval = ask(ready, token)
        ready.ok("POST", "/v1/vault/lock")
        with ThreadPoolExecutor(2) as pool:
            unlock = pool.submit(ready.ok, "POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE})
            pool.submit(approve, ready, approval).result()
            unlock.result()
        wait_until(lambda approval=approval: state(ready, approval) == "completed")
    assert len(upstream.seen("/ship")) == 8


def test_of_an_unlock_and_a_withdrawal_at_once_exactly_one_wins_for_each_waiting_call(
    ready: World, upstream: UpstreamProcess
) -> None:
    _, token = ready.session()
    approvals = [ask(ready, token) for _ in range(30)]
    ready.ok("POST", "/v1/vault/lock")
    for approval in approvals:
        approve(ready, approval)
    wait_until(lambda: len(waits(ready, *approvals)) == len(approvals))
    with ThreadPoolExecutor(4) as pool:
        pool.submit(ready.ok, "POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE})
        denials = [pool.submit(ready.control, "POST", f"/v1/approvals/{a}/deny", {}) for a in approvals]
        denied = [denial.result().status_code for denial in denials].count(200)
    wait_until(lambda: {state(ready, approval) for approval in approvals} <= {"denied", "completed"})
    ran = [approval for approval in approvals if state(ready, approval) == "completed"]
    assert len(ran) + denied == len(approvals)
    assert len(upstream.seen("/ship")) == len(ran)
    started = [event["payload"].get("aileron.approval.id") for event in ready.events(type="execution.started")]
    assert sorted(set(started) & set(approvals)) == sorted(ran)
    assert len(started) == len(set(started))


def test_a_call_that_waits_for_the_vault_can_be_withdrawn_and_does_not_run_at_the_unlock(
    ready: World, upstream: UpstreamProcess
) -> None:
    _, token = ready.session()
    approval, other = ask(ready, token), ask(ready, token)
    ready.ok("POST", "/v1/vault/lock")
    approve(ready, approval)
    approve(ready, other)
    wait_until(lambda: len(waits(ready, approval, other)) == 2)
    withdrawn = ready.ok("POST", f"/v1/approvals/{approval}/deny", {"reason": "not today"})
    assert (withdrawn["state"], withdrawn["withdrawn"]) == ("denied", True)
    told = ready.agent("GET", f"/v1/action-approvals/{approval}/result?wait=20", token=token).json()
    assert told["status"] == "denied"
    assert "withdrew the approval before it started" in told["message"]
    assert "not today" in told["message"]
    ready.ok("POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE})
    wait_until(lambda: state(ready, other) == "completed")
    assert len(upstream.seen("/ship")) == 1
    reasons = {e["payload"]["aileron.approval.id"]: e["payload"] for e in ready.events(type="approval.withdrawn")}
    assert reasons[approval]["aileron.approval.reason"] == "not today"
    late = ready.control("POST", f"/v1/approvals/{other}/deny", {})
    assert late.status_code == 409
    assert "has run" in late.json()["error"]["message"]


def test_a_call_that_waits_for_a_place_or_for_the_daemon_to_stop_writes_at_most_once(
    ready: World, upstream: UpstreamProcess
) -> None:
    upstream.behave("/slow", delay=WATCHED_SECONDS + 4)
    _, token = ready.session()
    queued, late = ask(ready, token), ask(ready, token)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ready.agent, "POST", "/v1/actions/slow/run", arguments(ready, "/slow"), token=token)
        upstream.wait_for(1, path="/slow")
        approve(ready, queued)
        assert ready.process is not None
        ready.process.send_signal(signal.SIGTERM)
        asking = arguments(ready, "/never")
        wait_until(lambda: "is stopping" in ready.agent("POST", "/v1/actions/ship/run", asking, token=token).text)
        approve(ready, late)
        wait_until(lambda: waits(ready, queued, late) != [])
        time.sleep(WATCHED_SECONDS)
        assert waits(ready, late) == ["resource_limit_exceeded"]
        assert waits(ready, queued) in ([], ["resource_limit_exceeded"])
        assert refused(ready, queued, late) == []
        assert slow.result().status_code == 200
    assert ready.process.wait(30) == 0
    ready.start()
    assert refused(ready, queued, late) == []
    # In its new life the daemon says once for each call that has not run yet what it waits for now.
    wait_until(lambda: waits(ready, late) == ["resource_limit_exceeded", "vault_locked"])
    # The one in the queue may have got its place at the very end, or not; each cause is said once at most.
    assert Counter(waits(ready, queued)) <= Counter(["resource_limit_exceeded", "vault_locked"])
    ready.unlock()
    wait_until(lambda: {state(ready, approval) for approval in (queued, late)} == {"completed"})
    assert len(upstream.seen("/ship")) == 2

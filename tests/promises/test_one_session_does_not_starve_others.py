"""Row R1: what one session does with its calls neither fails another's nor spends an approval that does not run."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from services.upstream import UpstreamProcess
from world import World

from benchmarks import fairness

SPINS = "4s"


class Queue:
    """A daemon in which a session has one place to compute, a session, and a call of it that spins there."""

    def __init__(self, world: World, pool: ThreadPoolExecutor) -> None:
        self.world = world
        self.pool = pool
        self.session, self.token = world.session()

    def run(self, action: str, **arguments: str) -> "Future[httpx.Response]":
        body = {"arguments": arguments}
        return self.pool.submit(self.world.agent, "POST", f"/v1/actions/{action}/run", body, token=self.token)

    def spin(self, action: str = "spin") -> "Future[httpx.Response]":
        """Start to spin, and return when it has begun."""
        spinning = self.run(action)
        until(lambda: self.started(action))
        return spinning

    def approve(self, action: str, **arguments: str) -> str:
        approval = str(self.run(action, **arguments).result().json()["approval_id"])
        self.world.ok("POST", f"/v1/approvals/{approval}/approve", {})
        return approval

    def state(self, approval: str) -> str:
        return str(self.world.ok("GET", f"/v1/approvals/{approval}")["state"])

    def result(self, approval: str) -> Any:
        path = f"/v1/action-approvals/{approval}/result?wait=30"
        return self.world.agent("GET", path, token=self.token).json()

    def started(self, action: str) -> list[dict[str, Any]]:
        return self.world.events(type="execution.started", action=action)


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


@pytest.fixture
def queue(tmp_path: Path, upstream: UpstreamProcess) -> Iterator[Queue]:
    limits = '[limits]\nactive_guests = 2\nwait_seconds = "1s"\n'
    # The daemon is ended before its callers are waited for: one of them may spin for minutes.
    with ThreadPoolExecutor(8) as pool, World(tmp_path, upstream=upstream.url, settings=limits) as world:
        world.start()
        world.set_up("wellbehaved", "hostile")
        world.add_action("post")
        world.add_action("write", approval=True)
        for name, timeout in (("spin", SPINS), ("spin-on", "5m")):
            world.add_action(
                name, connector="hostile", op="spin", capabilities=("mischief",), inputs={}, timeout=timeout
            )
        yield Queue(world, pool)


def test_while_one_session_floods_every_call_and_approved_write_of_another_runs(
    world: World, upstream: UpstreamProcess
) -> None:
    """A smaller run of `python -m benchmarks.fairness`, without its stopwatch."""
    upstream.behave("/quiet", json={"ok": True})
    upstream.behave("/flood", json={"ok": True})
    world.start()
    fairness.set_up(world)
    (_, hostile), (_, other) = world.session(), world.session()
    with fairness.flooding(world, hostile, count=60):
        until(lambda: world.events(type="execution.started", action="spin"))
        seen = asyncio.run(fairness.quiet(world, other, calls=6, approvals=6))
    assert (len(seen.calls), len(seen.approvals)) == (6, 6), seen.failed


def test_an_approval_is_spent_when_its_guest_begins_and_not_while_its_call_queues(
    queue: Queue, upstream: UpstreamProcess
) -> None:
    spinning = queue.spin()
    approval = queue.approve("write", url=f"{queue.world.upstream}/w", body="{}")
    states = [queue.state(approval)]
    while not queue.world.events(type="execution.failed", action="spin"):
        time.sleep(0.1)
        states.append(queue.state(approval))
    assert set(states[:-1]) <= {"approved"}  # the last one may have been read after the end of the spinning call
    assert queue.result(approval)["status"] == "completed"
    [spun] = queue.world.events(type="execution.failed", action="spin")
    [started] = queue.started("write")
    assert started["seq"] > spun["seq"]
    assert len(upstream.seen("/w")) == 1
    assert queue.world.events(type="action.refused") == []
    assert spinning.result().status_code != 200


def test_a_call_that_cannot_start_in_time_says_busy_and_has_not_run(queue: Queue, upstream: UpstreamProcess) -> None:
    spinning = queue.spin("spin-on")
    other = queue.world.session()[1]
    refused = queue.run("post", url=f"{queue.world.upstream}/p", body="{}").result().json()["error"]
    assert refused["class"] == "resource_limit_exceeded"
    assert refused["retriable"]
    assert "Nothing was run. Try again" in refused["message"]
    assert queue.started("post") == []
    assert upstream.seen("/p") == []
    [event] = queue.world.events(type="action.refused")
    assert event["id"] == refused["audit_id"]
    body = {"arguments": {"url": f"{queue.world.upstream}/other", "body": "{}"}}
    assert queue.world.agent("POST", "/v1/actions/post/run", body, token=other).status_code == 200
    assert not spinning.done()


def test_a_run_that_has_begun_is_finished_however_long_its_session_keeps_it_waiting(
    queue: Queue, upstream: UpstreamProcess
) -> None:
    """While the first step's guest waits for the service, a spinning call takes the place for longer than the limit."""
    _two_steps(queue.world)
    upstream.behave("/slow", delay=1.0, json={"ok": True}, times=1)
    running = queue.run("two-steps", url=f"{queue.world.upstream}/slow", body="{}")
    upstream.wait_for(1, path="/slow")
    spinning = queue.spin()
    answer = running.result()
    assert answer.status_code == 200, answer.text
    assert [request.method for request in upstream.seen("/slow")] == ["GET", "POST"]
    assert spinning.result().status_code != 200


def test_what_changes_while_a_call_queues_keeps_it_from_running(queue: Queue, upstream: UpstreamProcess) -> None:
    spinning = queue.spin()
    changed = queue.approve("write", url=f"{queue.world.upstream}/changed", body="{}")
    queue.world.add_action("write", approval=True, version="1.0.1")
    until(lambda: queue.state(changed) == "void")
    assert queue.started("write") == []
    assert upstream.seen("/changed") == []
    assert spinning.result().status_code != 200


def test_a_preview_whose_service_is_slow_holds_up_no_other(queue: Queue, upstream: UpstreamProcess) -> None:
    preview = '[approval.preview]\nop = "get_json"\nargs = { url = "${args.url}" }\nrender = { Body = "status" }\n'
    queue.world.add_action("shown", approval=True, extra=preview)
    upstream.behave("/hangs", delay=5.0)
    asked = {}
    for name in ("hangs", "quick"):
        answer = queue.run("shown", url=f"{queue.world.upstream}/{name}", body="{}").result().json()
        asked[name] = f"/v1/approvals/{answer['approval_id']}/preview"
    slow = queue.pool.submit(queue.world.ok, "GET", asked["hangs"])
    upstream.wait_for(1, path="/hangs")
    assert queue.world.ok("GET", asked["quick"])["available"]
    assert not slow.done()
    assert slow.result()["available"]


def _two_steps(world: World) -> None:
    path = world.add_action("two-steps", op="get_json")
    text = path.read_text().replace('body = "${args.body}"\n', "")
    last = text.index("+++\n#")
    step = (
        '[[execute]]\nid = "act"\nconnector = "file://aileron/wellbehaved"\nop = "post_json"\n'
        '[execute.inputs]\nurl = "${args.url}"\nbody = "${args.body}"\n'
    )
    path.write_text(text[:last] + step + text[last:])

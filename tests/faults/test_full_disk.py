"""Row A1: when the log cannot be written nothing runs, `status` says why, and it goes on when the disk does."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from faults.failing_disk import FailingDisk
from services.upstream import UpstreamProcess
from world import World


@pytest.fixture
def disk(tmp_path: Path) -> FailingDisk:
    """Offer a disk that fails under the database."""
    return FailingDisk(tmp_path, match="aileron.db")


@pytest.fixture
def upstream() -> Iterator[UpstreamProcess]:
    with UpstreamProcess() as started:
        yield started


@pytest.fixture
def world(tmp_path: Path, upstream: UpstreamProcess, disk: FailingDisk) -> Iterator[World]:
    with World(tmp_path, upstream=upstream.url) as made:
        made.start(**disk.environment())
        made.set_up()
        made.add_action("post")
        made.add_action("ask", approval=True)
        yield made


def run(world: World, path: str, action: str = "post") -> httpx.Response:
    body = {"arguments": {"url": f"{world.upstream}{path}", "body": "{}"}}
    return world.control("POST", f"/v1/actions/{action}/run", body)


@pytest.mark.parametrize("errno_name", ["ENOSPC", "EIO"])
def test_nothing_runs_while_the_log_cannot_be_written(
    world: World, upstream: UpstreamProcess, disk: FailingDisk, errno_name: str
) -> None:
    assert run(world, "/before").status_code == 200
    disk.fail(errno_name)
    for _ in range(3):
        refused = run(world, "/during")
        assert refused.status_code == 503
        assert refused.json()["error"]["class"] == "audit_unavailable"
    assert upstream.seen("/during") == []
    status = world.ok("GET", "/v1/status")["audit"]
    assert not status["available"]
    assert "disk" in status["reason"]
    disk.recover()
    assert run(world, "/after").status_code == 200
    assert world.ok("GET", "/v1/status")["audit"]["available"]
    assert world.verify()["ok"]


def test_a_decision_that_cannot_be_written_is_not_taken(world: World, disk: FailingDisk) -> None:
    approval = run(world, "/asked", "ask").json()["approval_id"]
    disk.fail("ENOSPC")
    assert world.control("POST", f"/v1/approvals/{approval}/approve", {}).status_code == 503
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"
    disk.recover()
    world.ok("POST", f"/v1/approvals/{approval}/approve", {})
    result = world.ok("GET", f"/v1/action-approvals/{approval}/result?wait=20")
    assert result["status"] == "completed"


def test_a_run_whose_end_cannot_be_written_is_never_said_not_to_have_happened(
    world: World, upstream: UpstreamProcess, disk: FailingDisk
) -> None:
    upstream.behave("/slow", delay=1.0)
    body = {"arguments": {"url": f"{world.upstream}/slow", "body": "{}"}}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(world.control, "POST", "/v1/actions/post/run", body)
        upstream.wait_for(1, path="/slow")
        disk.fail("ENOSPC")
        answer = running.result()
    assert answer.status_code == 503
    assert "succeeded" in answer.json()["error"]["message"]
    assert "Do not repeat" in answer.json()["error"]["message"]
    assert answer.json()["error"]["retriable"] is False
    disk.recover()
    deadline = time.monotonic() + 10
    while not world.events(type="execution.succeeded") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(world.events(type="execution.succeeded")) == 1
    assert world.verify()["ok"]


def test_a_daemon_killed_while_the_disk_fails_settles_when_it_comes_back(
    world: World, upstream: UpstreamProcess, disk: FailingDisk
) -> None:
    disk.fail("EIO")
    assert run(world, "/lost").status_code == 503
    world.kill()
    disk.recover()
    world.start(**disk.environment())
    world.unlock()
    assert run(world, "/found").status_code == 200
    assert world.verify()["ok"]
    assert upstream.seen("/lost") == []


def test_a_full_disk_under_the_daemons_own_log_file_stops_nothing(tmp_path: Path, upstream: UpstreamProcess) -> None:
    disk = FailingDisk(tmp_path, match="daemon.jsonl")
    with World(tmp_path, upstream=upstream.url) as made:
        made.start(**disk.environment())
        made.set_up()
        made.add_action("post")
        disk.fail("ENOSPC")
        assert run(made, "/x").status_code == 200
        assert made.stop() == 0

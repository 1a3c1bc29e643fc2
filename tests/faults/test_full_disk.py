"""Row A1: when the log cannot be written nothing runs, `status` says why, and it goes on when the disk does."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from faults.failing_disk import WORDS, FailingDisk
from servers.started import hostile, ran
from services.upstream import UpstreamProcess
from world import PASSPHRASE, WELLBEHAVED, World


@pytest.fixture
def disk(tmp_path: Path) -> FailingDisk:
    """Offer a disk that fails under the database."""
    return FailingDisk(tmp_path, match="aileron.db")


@pytest.fixture(scope="module")
def _shared_upstream() -> Iterator[UpstreamProcess]:
    with UpstreamProcess() as started:
        yield started


@pytest.fixture
def upstream(_shared_upstream: UpstreamProcess) -> UpstreamProcess:
    """Offer the service that actions call."""
    _shared_upstream.forget()
    return _shared_upstream


@pytest.fixture
def world(tmp_path: Path, upstream: UpstreamProcess, disk: FailingDisk) -> Iterator[World]:
    """Offer a running installation on that disk."""
    with World(tmp_path, upstream=upstream.url) as made:
        made.start(**disk.environment())
        made.set_up()
        made.add_action("post")
        made.add_action("get", op="get_json", inputs={"url": "${args.url}"})
        made.add_action("ask", approval=True)
        yield made


def run(world: World, path: str, action: str = "post") -> httpx.Response:
    """Run an action that calls this path."""
    given = {"url": f"{world.upstream}{path}"} | ({} if action == "get" else {"body": "{}"})
    return world.control("POST", f"/v1/actions/{action}/run", {"arguments": given})


def wait_until(true: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def is_soon(true: Callable[[], object], *, seconds: float = 3.0) -> bool:
    """Say whether something comes to be so within a while."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(("word", "action"), [*((word, "post") for word in WORDS), ("ENOSPC", "get")])
def test_nothing_runs_while_the_log_cannot_be_written(
    world: World, upstream: UpstreamProcess, disk: FailingDisk, word: str, action: str
) -> None:
    assert run(world, "/before", action).status_code == 200
    disk.fail(word)
    for _ in range(3):
        refused = run(world, "/during", action)
        assert refused.status_code == 503
        error = refused.json()["error"]
        assert (error["class"], error["boundary"], error["retriable"]) == ("audit_unavailable", "runtime", True)
    assert upstream.seen("/during") == []
    status = world.ok("GET", "/v1/status")["audit"]
    assert not status["available"]
    assert "disk" in status["reason"]
    disk.recover()
    assert run(world, "/after", action).status_code == 200
    assert (
        world.ok("GET", "/v1/status")["audit"] | {"available": True, "reason": None}
        == (world.ok("GET", "/v1/status")["audit"])
    )
    assert world.verify()["ok"]
    assert len(upstream.seen("/during")) == 0
    assert world.events(type="execution.started")[-1]["payload"]["aileron.action.arguments"]["url"].endswith("/after")


def test_no_call_of_a_server_leaves_while_the_log_cannot_be_written(
    tmp_path: Path, world: World, disk: FailingDisk
) -> None:
    ledger = tmp_path / "ledger"
    world.ok("POST", "/v1/servers", {"name": "hub", "command": hostile(ledger=ledger)})
    world.ok("POST", "/v1/servers/hub/test")
    _, token = world.session()

    def call(text: str) -> httpx.Response:
        return world.agent("POST", "/v1/tools/hub__echo/call", {"arguments": {"text": text}}, token=token)

    assert call("before").status_code == 200
    disk.fail("ENOSPC")
    for _ in range(3):
        assert call("during").json()["error"]["class"] == "audit_unavailable"
    assert not world.ok("GET", "/v1/status")["audit"]["available"]
    disk.recover()
    assert call("after").status_code == 200
    assert [line["arguments"]["text"] for line in ran(ledger)] == ["before", "after"]
    assert world.verify()["ok"]


@pytest.mark.parametrize(("word", "killed"), [*((word, False) for word in WORDS), ("ENOSPC", True)])
def test_a_checkpoint_that_could_not_be_written_is_no_damage(
    tmp_path: Path, upstream: UpstreamProcess, disk: FailingDisk, word: str, killed: bool
) -> None:
    """The time for it came while the disk was full: no event was written, so only the checkpoint itself tells."""
    with World(tmp_path, upstream=upstream.url, AILERON_AUDIT__CHECKPOINT_SECONDS="500ms") as made:
        made.start(**disk.environment())
        made.set_up()
        made.add_action("post")
        for _ in range(10):  # on a busy machine the checkpoint may be there before the disk is full
            disk.recover()
            assert run(made, "/before").status_code == 200
            disk.fail(word)
            if is_soon(lambda: not made.ok("GET", "/v1/status")["audit"]["available"]):
                break
        assert not made.ok("GET", "/v1/status")["audit"]["available"]
        time.sleep(1.2)  # it is tried again, and fails again
        if killed:
            made.kill()
        disk.recover()
        if killed:
            made.start(**disk.environment())
            made.unlock()
        wait_until(lambda: run(made, "/after").status_code == 200)
        assert made.verify()["ok"]
        assert not made.ok("GET", "/v1/status")["audit"]["damaged"]


def test_no_byte_leaves_before_the_sync_of_its_beginning_has_returned(
    world: World, upstream: UpstreamProcess, disk: FailingDisk
) -> None:
    disk.stall()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, world, "/x")
        time.sleep(1.0)
        assert upstream.seen("/x") == []
        disk.recover()
        assert running.result().status_code == 200
    assert len(upstream.seen("/x")) == 1


def test_many_callers_at_a_failing_disk_are_all_told_and_none_is_left_waiting(
    world: World, upstream: UpstreamProcess, disk: FailingDisk
) -> None:
    disk.fail("ENOSPC")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: run(world, f"/many/{n}"), range(40)))
    assert {answer.status_code for answer in answers} == {503}
    assert upstream.requests == []
    disk.recover()
    assert run(world, "/after").status_code == 200
    assert world.verify()["ok"]


@pytest.mark.parametrize("word", ["ENOSPC", "EIO-SYNC"])
def test_a_decision_that_cannot_be_written_is_not_taken(
    world: World, upstream: UpstreamProcess, disk: FailingDisk, word: str
) -> None:
    approval = run(world, "/asked", "ask").json()["approval_id"]
    disk.fail(word)
    for decision in ("approve", "deny"):
        assert world.control("POST", f"/v1/approvals/{approval}/{decision}", {}).status_code == 503
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"
    assert run(world, "/more", "ask").status_code == 503
    disk.recover()
    assert upstream.requests == []
    world.ok("POST", f"/v1/approvals/{approval}/approve", {})
    result = world.ok("GET", f"/v1/action-approvals/{approval}/result?wait=20")
    assert result["status"] == "completed"


@pytest.mark.parametrize("word", ["ENOSPC", "EIO-SYNC"])
def test_an_approved_call_waits_for_the_disk_and_then_runs_once(
    world: World, upstream: UpstreamProcess, disk: FailingDisk, word: str
) -> None:
    world.stop()
    # Two places for runs: one for each session.
    world.start(**disk.environment(), AILERON_LIMITS__MAX_CONCURRENT_RUNS="2")
    world.unlock()
    approval = run(world, "/asked", "ask").json()["approval_id"]
    upstream.behave("/slow", delay=3.0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(run, world, "/slow")  # as long as it runs, the approved call waits for its turn
        upstream.wait_for(1, path="/slow")
        world.ok("POST", f"/v1/approvals/{approval}/approve", {})
        disk.fail(word)
        assert slow.result().status_code == 503
    time.sleep(2.5)  # the dispatcher tries in vain, more than once
    assert upstream.seen("/asked") == []
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "approved"
    disk.recover()
    assert world.ok("GET", f"/v1/action-approvals/{approval}/result?wait=20")["status"] == "completed"
    assert len(upstream.seen("/asked")) == 1
    assert world.verify()["ok"]


@pytest.mark.parametrize("word", ["ENOSPC", "EIO-SYNC"])
def test_nothing_of_the_vault_changes_unrecorded(world: World, disk: FailingDisk, word: str) -> None:
    world.ok("PUT", "/v1/secrets", {"name": "kept", "value": "sentinel-value-1"})
    vault = world.home / "vault.json"
    before = vault.read_bytes()
    disk.fail(word)
    changes = [
        ("PUT", "/v1/secrets", {"name": "new", "value": "sentinel-value-2"}),
        ("DELETE", "/v1/secrets?name=kept", None),
        ("POST", "/v1/vault/passphrase", {"old": PASSPHRASE, "new": "another passphrase"}),
        (
            "POST",
            "/v1/bindings",
            {"connector": WELLBEHAVED, "identity": "two", "value": {"type": "api_key", "key": "k" * 9}},
        ),
        ("POST", "/v1/actions/get/disable", {}),
        ("DELETE", f"/v1/connectors?ref={next(iter(world.hashes.values()))}", None),
    ]
    for method, path, body in changes:
        answer = world.control(method, path, body)
        assert answer.status_code == 503, (path, answer.text)
        assert answer.json()["error"]["class"] == "audit_unavailable"
    assert vault.read_bytes() == before
    # Taking power away does not wait for a disk; the answer says that it happened and that it is not on record.
    locked = world.control("POST", "/v1/vault/lock", {})
    assert locked.status_code == 503
    assert "was made" in locked.json()["error"]["message"]
    assert world.ok("GET", "/v1/vault")["state"] == "locked"
    assert world.control("POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE}).status_code == 503
    assert world.ok("GET", "/v1/vault")["state"] == "locked"
    disk.recover()
    world.unlock()
    assert run(world, "/after").status_code == 200
    assert world.verify()["ok"]


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [*((word, 200, "execution.succeeded") for word in WORDS), ("ENOSPC", 422, "execution.failed")],
)
def test_a_run_whose_end_cannot_be_written_is_never_said_not_to_have_happened(
    world: World, upstream: UpstreamProcess, disk: FailingDisk, word: str, status: int, kind: str
) -> None:
    upstream.behave("/slow", delay=0.7, status=status, json={})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, world, "/slow")
        upstream.wait_for(1, path="/slow")
        disk.fail(word)
        error = running.result().json()["error"]
    assert running.result().status_code == 503
    assert (error["class"], error["retriable"]) == ("audit_unavailable", False)
    assert ("succeeded" if status == 200 else "external_api_error") in error["message"]
    assert "Do not repeat" in error["message"]
    disk.recover()
    wait_until(lambda: world.events(type=kind))
    ends = [e for e in world.events(type="execution.*") if e["type"] not in {"execution.started", "execution.step"}]
    assert [(e["type"], e["payload"]["aileron.execution.id"]) for e in ends] == [(kind, error["details"]["execution"])]
    assert len(upstream.seen("/slow")) == 1
    assert world.verify()["ok"]


def test_a_run_whose_end_was_never_written_is_of_unknown_outcome_after_a_restart(
    world: World, upstream: UpstreamProcess, disk: FailingDisk
) -> None:
    upstream.behave("/slow", delay=0.7)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, world, "/slow")
        upstream.wait_for(1, path="/slow")
        disk.fail("ENOSPC")
        assert running.result().status_code == 503
    world.kill()
    disk.recover()
    world.start(**disk.environment())
    assert [e["failure_class"] for e in world.events(type="execution.unknown")] == ["outcome_unknown"]
    assert world.verify()["ok"]


@pytest.mark.parametrize("word", WORDS)
def test_a_daemon_killed_while_the_disk_fails_settles_when_it_comes_back(
    world: World, upstream: UpstreamProcess, disk: FailingDisk, word: str
) -> None:
    disk.fail(word)
    assert run(world, "/lost").status_code == 503
    world.kill()
    disk.recover()
    world.start(**disk.environment())
    world.unlock()
    assert run(world, "/found").status_code == 200
    assert world.verify()["ok"]
    assert upstream.seen("/lost") == []
    # A commit whose sync failed may have reached the file all the same. It is then a beginning without a sending.
    assert not [e for e in world.events(type="execution.succeeded") if "/lost" in str(e)]
    with contextlib.closing(sqlite3.connect(world.home / "aileron.db")) as connection:
        assert connection.execute("select count(*) from open_executions").fetchone() == (0,)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("fresh", [True, False], ids=["a new home", "a home in use"])
def test_a_daemon_that_cannot_write_its_database_says_so_and_does_not_start(
    tmp_path: Path, upstream: UpstreamProcess, disk: FailingDisk, word: str, fresh: bool
) -> None:
    with World(tmp_path, upstream=upstream.url) as made:
        if not fresh:
            made.start()
            made.stop()
        disk.fail(word)
        made.process = made.spawn(**disk.environment())
        assert made.wait_dead(20) == 1
        said = made.output()
        assert "Traceback" not in said
        assert str(made.home / "aileron.db") in said
        assert "free" in said
        disk.recover()
        made.start(**disk.environment())
        assert made.verify()["ok"]


def test_a_daemon_stops_in_good_order_while_the_disk_fails(world: World, disk: FailingDisk) -> None:
    disk.fail("ENOSPC")
    assert run(world, "/x").status_code == 503
    assert world.stop() == 0
    disk.recover()
    world.start(**disk.environment())
    assert world.verify()["ok"]


def test_a_full_disk_under_the_daemons_own_log_file_stops_nothing(tmp_path: Path, upstream: UpstreamProcess) -> None:
    disk = FailingDisk(tmp_path, match="daemon.jsonl")
    with World(tmp_path, upstream=upstream.url) as made:
        made.start(**disk.environment())
        made.set_up()
        made.add_action("post")
        disk.fail("ENOSPC")
        assert run(made, "/x").status_code == 200
        assert made.stop() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Offer a file system of 6 MB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _can_mount() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    # In a namespace of its own, which goes with the process: nothing stays mounted.
    trial = [unshare, "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(trial, check=False, capture_output=True).returncode == 0


if _can_mount():  # elsewhere there is no such test: the failing library shows the same from closer by

    def test_a_file_system_that_is_really_full_behaves_the_same(small_disk: Path, upstream: UpstreamProcess) -> None:
        with World(small_disk, upstream=upstream.url) as world:
            world.start()
            world.set_up()
            world.add_action("post")
            assert run(world, "/before").status_code == 200
            ballast = small_disk / "ballast"
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
            refused = [run(world, f"/during/{n}") for n in range(400)][-1]
            assert refused.status_code == 503, "the write-ahead log had room left to reuse"
            assert not world.ok("GET", "/v1/status")["audit"]["available"]
            reached = len(upstream.requests)
            assert run(world, "/not").status_code == 503
            assert len(upstream.requests) == reached
            ballast.unlink()
            assert run(world, "/after").status_code == 200
            assert world.verify()["ok"]

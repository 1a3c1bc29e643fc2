"""The daemon as a process: one per home, found when it runs, gone when it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from services.upstream import UpstreamProcess
from waiting import wait_until
from world import ROOT, World

from daemon.base.home import Home
from daemon.lifecycle.discovery import DiscoveryError, read_discovery
from daemon.lifecycle.errors import SpawnError
from daemon.lifecycle.lock import FileLock
from daemon.lifecycle.spawn import ensure_daemon, stop_daemon


@pytest.fixture
def upstream() -> Iterator[UpstreamProcess]:
    with UpstreamProcess() as started:
        yield started


@pytest.fixture
def world(tmp_path: Path, upstream: UpstreamProcess) -> Iterator[World]:
    with World(tmp_path, upstream=upstream.url, fresh=True) as made:
        yield made


def test_a_second_start_is_a_no_op_that_says_so(world: World) -> None:
    world.start()
    second = world.spawn()
    assert second.wait(20) == 0
    assert "runs already" in world.output()
    assert world.process is not None
    assert world.process.poll() is None


def test_of_two_started_at_once_exactly_one_runs(world: World) -> None:
    both = [world.spawn(), world.spawn()]
    deadline = time.monotonic() + 20
    while sum(process.poll() is None for process in both) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    world.process = next(process for process in both if process.poll() is None)
    world.wait_until_healthy()
    assert sorted(process.poll() is None for process in both) == [False, True]
    assert world.output().count("runs already") == 1


def test_eight_commands_that_need_the_daemon_start_it_once(world: World) -> None:
    home = Home(world.home)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ensure_daemon(home), range(8)))
    try:
        assert len({one.pid for one in found}) == 1
    finally:
        assert stop_daemon(home)
    assert not stop_daemon(home)


def test_sigterm_stops_cleanly_and_signs_the_log(world: World) -> None:
    world.start()
    head = world.ok("GET", "/v1/status")["audit"]["head_seq"]
    assert world.stop() == 0
    assert not (world.home / "daemon.json").exists()
    lock = FileLock(world.home / "daemon.lock")
    assert lock.acquire()
    lock.release()
    world.start()
    assert world.ok("GET", "/v1/status")["audit"]["checkpoint_seq"] >= head


def test_a_stop_lets_a_run_under_way_come_to_its_end(world: World, upstream: UpstreamProcess) -> None:
    upstream.behave("/slow", delay=1.5, json={"ok": True})
    world.start()
    world.set_up()
    world.add_action("post")
    body = {"arguments": {"url": f"{world.upstream}/slow", "body": "{}"}}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(world.control, "POST", "/v1/actions/post/run", body)
        upstream.wait_for(1, path="/slow")
        assert world.process is not None
        world.process.send_signal(signal.SIGTERM)
        assert running.result().status_code == 200
        assert world.wait_dead() == 0


def test_a_second_sigterm_ends_at_once_and_the_run_is_settled_later(world: World, upstream: UpstreamProcess) -> None:
    upstream.behave("/slow", delay=30)
    world.start()
    world.set_up()
    world.add_action("post")
    body = {"arguments": {"url": f"{world.upstream}/slow", "body": "{}"}}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(world.control, "POST", "/v1/actions/post/run", body)
        upstream.wait_for(1, path="/slow")
        assert world.process is not None
        world.process.send_signal(signal.SIGTERM)
        # Two signals that arrive together are one: the second is sent when the first was taken note of.
        wait_until(lambda: '"stopping"' in (world.home / "logs" / "daemon.jsonl").read_text())
        world.process.send_signal(signal.SIGTERM)
        assert world.wait_dead() == 130  # without the second it waits for the run, and ends with 0
        assert running.exception() is not None
    world.start()
    assert [e["failure_class"] for e in world.events(type="execution.unknown")] == ["outcome_unknown"]


def test_a_discovery_file_of_a_dead_daemon_counts_for_nothing(world: World) -> None:
    world.start()
    world.kill()
    assert (world.home / "daemon.json").exists()
    assert read_discovery(world.home / "daemon.json") is None
    world.start()


def test_a_recycled_process_number_is_not_taken_for_the_daemon(world: World) -> None:
    world.start()
    path = world.home / "daemon.json"
    stale = json.loads(path.read_text())
    world.stop()
    path.write_text(json.dumps(stale | {"pid": os.getpid()}))
    path.chmod(0o600)
    assert read_discovery(path) is None


def test_a_discovery_file_that_others_can_touch_is_refused(world: World) -> None:
    world.start()
    (world.home / "daemon.json").chmod(0o644)
    with pytest.raises(DiscoveryError, match="could have been written by somebody else"):
        read_discovery(world.home / "daemon.json")


def test_a_daemon_that_cannot_start_says_why_in_a_sentence(world: World) -> None:
    (world.home / "config.toml").write_text("[network]\nalow_private = []\n")
    done = subprocess.run(
        [sys.executable, "-m", "daemon"],
        cwd=ROOT,
        env=os.environ | {"AILERON_HOME": str(world.home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert "config.toml:2: network.alow_private is no setting. Did you mean network.allow_private?" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(SpawnError, match=r"(?s)ended at once.*alow_private"):
        ensure_daemon(Home(world.home))


def test_a_newer_database_is_refused_in_a_sentence(world: World) -> None:
    import sqlite3
    from contextlib import closing

    world.start()
    world.stop()
    with closing(sqlite3.connect(world.home / "aileron.db")) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
        connection.commit()
    process = world.spawn()
    assert process.wait(20) == 1
    assert "was written by a newer Aileron" in world.output()
    assert "Traceback" not in world.output()


def test_a_port_that_is_taken_is_said_in_a_sentence(world: World) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = world.spawn(AILERON_DAEMON__CONTROL_PORT=str(taken.getsockname()[1]))
        assert process.wait(20) == 1
    assert "is in use" in world.output()
    assert "Traceback" not in world.output()


def test_two_homes_have_two_daemons(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    world.start()
    with World(tmp_path_factory.mktemp("other"), upstream=world.upstream) as other:
        other.start()
        assert other.control_url != world.control_url
        refused = other._client.get(
            other.control_url + "/v1/status", headers={"Authorization": f"Bearer {world.discovery['token']}"}
        )
        assert refused.status_code == 401

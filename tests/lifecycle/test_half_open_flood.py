"""Half-open connections without a token, more than there are descriptors: nobody else loses anything by them."""

import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from services.upstream import UpstreamProcess
from world import World

OPEN_FILES = 256
MORE_THAN_THAT = 600


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = "[limits]\nwasm_threads = 4\n"
    with (
        UpstreamProcess() as upstream,
        World(tmp_path, upstream=upstream.url, settings=settings, open_files=OPEN_FILES) as made,
    ):
        made.start()
        yield made


@pytest.fixture
def owner() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "300"]) as started:
        yield started
        started.kill()


def flood(url: str) -> list[socket.socket]:
    place = urlsplit(url)
    opened = []
    for _ in range(MORE_THAN_THAT):
        made = socket.socket()
        made.settimeout(5)
        try:
            made.connect((place.hostname, place.port))
            made.sendall(b"GET /v1/actions HTTP/1.1\r\nHost: x\r\nX-Half: ")
        except OSError:
            made.close()  # the daemon closed it already
        else:
            opened.append(made)
    return opened


def ask(url: str, token: str) -> int:
    with httpx.Client(trust_env=False, timeout=20) as client:
        return client.get(url, headers={"Authorization": f"Bearer {token}"}).status_code


def test_half_open_connections_end_no_session_void_no_approval_and_do_not_silence_the_control_api(
    world: World, owner: "subprocess.Popen[bytes]"
) -> None:
    world.set_up()
    world.add_action("post", approval=True)
    session, token = world.session(owner_pid=owner.pid)
    body = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
    approval = world.agent("POST", "/v1/actions/post/run", body, token=token).json()["approval_id"]
    opened = flood(world.agent_url)
    try:
        begun = time.monotonic()
        while time.monotonic() - begun < 2.5:  # the owners of sessions are looked at every second
            assert ask(f"{world.control_url}/v1/status", world.discovery["token"]) == 200
            assert ask(f"{world.agent_url}/v1/actions", token) == 200
        assert world.process is not None
        descriptors = len(list(Path(f"/proc/{world.process.pid}/fd").iterdir()))
        assert descriptors < OPEN_FILES * 3 // 4
    finally:
        for one in opened:
            one.close()
    assert world.ok("GET", f"/v1/sessions/{session}")["ended_at"] is None
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + 10
    while world.ok("GET", f"/v1/sessions/{session}")["ended_at"] is None:
        assert time.monotonic() < deadline, "the session of a process that has ended goes on"
        time.sleep(0.05)


def test_half_open_connections_to_the_control_api_do_not_shut_out_the_person(world: World) -> None:
    opened = flood(world.control_url)
    try:
        assert ask(f"{world.control_url}/v1/status", world.discovery["token"]) == 200
    finally:
        for one in opened:
            one.close()


def test_descriptors_that_run_out_all_the_same_do_not_keep_the_daemon_busy(world: World) -> None:
    assert world.process is not None
    pid = world.process.pid
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, OPEN_FILES))
    waiting = socket.create_connection((urlsplit(world.agent_url).hostname, urlsplit(world.agent_url).port))
    try:
        before = processor_seconds(pid)
        time.sleep(1.5)
        assert processor_seconds(pid) - before < 0.75
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
        waiting.close()
    assert ask(f"{world.control_url}/v1/status", world.discovery["token"]) == 200


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100

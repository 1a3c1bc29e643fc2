"""Promise 8: no account, no server of ours, no network needed to run what is installed."""

from pathlib import Path

import pytest
from services.upstream import UpstreamProcess
from world import World


def test_everything_works_on_a_machine_with_no_network_but_loopback(
    world: World, upstream: UpstreamProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy that nothing listens on, for every client that asks the environment: whoever wants out fails loudly.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    world.start()
    world.set_up()
    world.add_action("post")
    body = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
    assert world.control("POST", "/v1/actions/post/run", body).status_code == 200
    assert world.process is not None
    assert foreign_connections(world.process.pid) == []


def test_the_daemon_listens_on_loopback_only(world: World) -> None:
    world.start()
    assert world.process is not None
    listening = [row for row in sockets(world.process.pid) if row[2] == "0A"]
    assert len(listening) == 2
    assert all(local.startswith("0100007F:") for local, _, _ in listening)


def sockets(pid: int) -> list[tuple[str, str, str]]:
    """Return (local, remote, state) of a process's TCP sockets."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                rows.append((fields[1], fields[2], fields[3]))
    return rows


def foreign_connections(pid: int) -> list[tuple[str, str, str]]:
    """Return connections to anything but loopback."""
    return [row for row in sockets(pid) if row[2] != "0A" and not row[1].startswith("0100007F:")]

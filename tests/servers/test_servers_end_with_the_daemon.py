"""Processes of servers, with all that they started, end with a real daemon that is killed or stopped."""

from pathlib import Path

import pytest
from servers.started import hostile
from waiting import wait_until
from world import World

from daemon.base.platform import is_gone


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_no_process_of_a_server_outlives_the_daemon(tmp_path: Path, way: str) -> None:
    pids = tmp_path / "children"
    with World(tmp_path, upstream="http://127.0.0.1:9") as world:
        world.start()
        world.ok("POST", "/v1/servers", {"name": "leaver", "command": hostile(f"leaves_children={pids}")})
        world.ok("POST", "/v1/servers/leaver/test")
        wait_until(lambda: len(pids.read_text().split()) == 2)
        started = list(map(int, pids.read_text().split()))
        assert not any(map(is_gone, started))
        world.kill() if way == "kill" else world.stop()
        wait_until(lambda: all(map(is_gone, started)))

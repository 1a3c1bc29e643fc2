"""Checks of the machine: what is well says so, and what is not comes with what to do."""

import json
import os
from pathlib import Path

import pytest

from daemon.base.clock import SystemClock
from daemon.base.home import Home
from daemon.base.platform import network_filesystem, process_identity
from daemon.lifecycle.checks import machine_checks
from daemon.lifecycle.discovery import Discovery, write_discovery


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    return made


def statuses(home: Home) -> dict[str, str]:
    return {check.name: check.status for check in machine_checks(home, clock=SystemClock())}


def test_a_good_machine_is_well(home: Home) -> None:
    home.database_path.touch()
    assert statuses(home) == {"platform": "ok", "webassembly": "ok", "clock": "ok"}


def test_a_home_that_is_not_there_yet_is_no_problem(tmp_path: Path) -> None:
    assert set(statuses(Home(tmp_path / "none")).values()) == {"ok"}


def test_files_from_the_future_show_a_clock_that_was_set_back(home: Home) -> None:
    home.database_path.touch()
    ahead = SystemClock().now_ms() / 1000 + 3600
    os.utime(home.database_path, (ahead, ahead))
    assert statuses(home)["clock"] == "warning"


def test_a_daemon_of_another_version_is_named_with_the_remedy(home: Home) -> None:
    identity = process_identity(os.getpid()) or ""
    texts = dict.fromkeys(("control_url", "agent_url", "token", "started_at"), "")
    found = Discovery(pid=os.getpid(), identity=identity, version="0.0.1", home=str(home.path), **texts)
    write_discovery(home.discovery_path, found)
    check = next(check for check in machine_checks(home, clock=SystemClock()) if check.name == "version")
    assert (check.status, "0.0.1" in check.message, "aileron stop" in check.remedy) == ("warning", True, True)
    assert json.loads(home.discovery_path.read_text())["version"] == "0.0.1"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/.aileron", "nfs4"),
        ("/home/me/local/.aileron", None),
        ("/homestead/.aileron", None),
        ("/mnt/my disk/.aileron", "9p"),
        ("/mnt/ssh/x", "fuse.sshfs"),
        ("/over/x", None),
    ],
)
def test_a_network_file_system_is_told_by_the_nearest_mount(tmp_path: Path, path: str, kind: str | None) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/a / ext4 rw 0 0\nserver:/h /home nfs4 rw 0 0\n/dev/b /home/me/local ext4 rw 0 0\n"
        "C: /mnt/my\\040disk 9p rw 0 0\nme@there: /mnt/ssh fuse.sshfs rw 0 0\n"
        "server:/o /over nfs rw 0 0\n/dev/c /over ext4 rw 0 0\n"
    )
    assert network_filesystem(Path(path), mounts=mounts) == kind


def test_where_mounts_cannot_be_listed_nothing_is_said(tmp_path: Path) -> None:
    assert network_filesystem(tmp_path, mounts=tmp_path / "none") is None

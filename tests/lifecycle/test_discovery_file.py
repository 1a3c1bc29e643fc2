"""The discovery file: believed only when it is its owner's alone and about a process that lives."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.base.platform import process_identity
from daemon.lifecycle.discovery import Discovery, DiscoveryError, read_discovery, write_discovery


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def mine(home: Path) -> Discovery:
    return Discovery(
        pid=os.getpid(),
        identity=process_identity(os.getpid()) or "",
        control_url="http://127.0.0.1:1",
        agent_url="http://127.0.0.1:2",
        token="sentinel-token",
        version="0.1.0",
        started_at="2026-11-20T22:00:00.000Z",
        home=str(home),
    )


def test_what_is_written_is_read_and_private(home: Path) -> None:
    path = home / "daemon.json"
    write_discovery(path, mine(home))
    assert read_discovery(path) == mine(home)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in home.iterdir()] == ["daemon.json"]


def test_no_file_is_no_daemon(home: Path) -> None:
    assert read_discovery(home / "daemon.json") is None


def test_the_token_is_not_in_what_is_shown_of_it(home: Path) -> None:
    assert "sentinel-token" not in repr(mine(home))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o660, 0o666, 0o610, 0o601])
def test_a_file_that_others_could_read_or_write_is_refused(home: Path, mode: int) -> None:
    path = home / "daemon.json"
    write_discovery(path, mine(home))
    path.chmod(mode)
    with pytest.raises(DiscoveryError, match=f"rm {path}"):
        read_discovery(path)


def test_a_link_is_refused_also_when_it_leads_to_a_good_file(home: Path) -> None:
    write_discovery(home / "elsewhere.json", mine(home))
    (home / "daemon.json").symlink_to(home / "elsewhere.json")
    with pytest.raises(DiscoveryError):
        read_discovery(home / "daemon.json")


def test_a_pipe_in_its_place_is_refused_and_not_waited_for(home: Path) -> None:
    os.mkfifo(home / "daemon.json", 0o600)
    with pytest.raises(DiscoveryError):
        read_discovery(home / "daemon.json")


def test_a_file_of_another_user_is_refused(home: Path) -> None:
    path = home / "daemon.json"
    write_discovery(path, mine(home))
    if os.getuid() == 0:
        os.chown(path, 12345, 12345)
    else:
        path = Path("/etc/passwd")  # only root can give a file away, but this one is another user's
    with pytest.raises(DiscoveryError):
        read_discovery(path)


def test_the_same_number_with_another_start_is_another_process(home: Path) -> None:
    boot, _, started = mine(home).identity.rpartition(":")
    for identity in (f"{boot}:{int(started) - 1}", f"another-boot:{started}", ""):
        write_discovery(home / "daemon.json", replace(mine(home), identity=identity))
        assert read_discovery(home / "daemon.json") is None


def test_a_process_that_has_ended_is_dead_even_if_its_parent_has_not_noticed(home: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_identity(child.pid)
    assert identity is not None
    write_discovery(home / "daemon.json", replace(mine(home), pid=child.pid, identity=identity))
    assert read_discovery(home / "daemon.json") is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert read_discovery(home / "daemon.json") is None
    child.communicate()
    assert process_identity(child.pid) is None


def test_in_the_copy_of_a_home_the_original_daemon_is_not_found(home: Path, tmp_path: Path) -> None:
    write_discovery(home / "daemon.json", mine(home))
    shutil.copytree(home, tmp_path / "copy")
    assert read_discovery(tmp_path / "copy" / "daemon.json") is None


def test_a_home_may_be_named_by_another_way_to_it(home: Path, tmp_path: Path) -> None:
    write_discovery(home / "daemon.json", mine(home))
    (tmp_path / "link").symlink_to(home)
    assert read_discovery(tmp_path / "link" / "daemon.json") == mine(home)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home") / "daemon.json"
    path.touch(0o600)
    return path


@given(content=st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_discovery_file_is_no_daemon(written: Path, content: bytes) -> None:
    written.write_bytes(content)
    assert read_discovery(written) is None


@given(changes=st.dictionaries(st.sampled_from(sorted(Discovery.__slots__)), json_values, min_size=1))
def test_a_file_with_other_values_is_no_daemon_or_a_well_typed_one(written: Path, changes: dict[str, Any]) -> None:
    written.write_text(json.dumps(asdict(mine(written.parent)) | changes))
    found = read_discovery(written)
    if found is not None:
        assert (found.pid, found.identity) == (os.getpid(), process_identity(os.getpid()))
        assert all(isinstance(value, str) for name, value in asdict(found).items() if name != "pid")

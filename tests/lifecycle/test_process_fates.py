"""Whether a process lives has three answers, and nothing is taken from anybody on "cannot tell"."""

import errno
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.base import platform
from daemon.base.home import Home
from daemon.base.platform import CannotTellError, Fate, fate_of, is_gone, process_identity, working_folder
from daemon.base.processes import Processes
from daemon.cli.launch.scratch import scratch
from daemon.lifecycle.discovery import Discovery, read_discovery, write_discovery
from daemon.lifecycle.errors import SpawnError
from daemon.lifecycle.spawn import stop_daemon


@pytest.fixture
def no_descriptors() -> Iterator[list[int]]:
    """Use up every descriptor of this process; what the test needs open it opens before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(found.name) for found in Path("/dev/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, hard))
    taken: list[int] = []

    def give_back() -> None:
        for one in taken:
            os.close(one)
        taken.clear()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def take_all() -> None:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))

    with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
        take_all()
    try:
        yield taken
    finally:
        give_back()


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


@pytest.fixture
def identity(child: "subprocess.Popen[bytes]") -> str:
    platform._boot.cache_clear()
    found = process_identity(child.pid)
    assert found is not None
    platform._boot.cache_clear()
    return found


def test_without_descriptors_a_living_process_is_not_taken_for_gone(
    child: "subprocess.Popen[bytes]", identity: str, no_descriptors: list[int]
) -> None:
    assert fate_of(child.pid, identity) is Fate.UNKNOWN
    assert not is_gone(child.pid)
    for one in no_descriptors:
        os.close(one)
    no_descriptors.clear()
    assert fate_of(child.pid, identity) is Fate.LIVES


def test_without_descriptors_a_process_that_ended_is_still_known_to_be_gone(no_descriptors: list[int]) -> None:
    os.close(no_descriptors.pop())
    number = os.fork()
    if number == 0:
        os._exit(0)
    os.waitpid(number, 0)
    assert fate_of(number, "any") is Fate.GONE


async def test_when_nothing_can_be_told_no_owner_counts_as_gone(
    child: "subprocess.Popen[bytes]", identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = (child.pid, identity)
    processes = Processes()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(platform, "_PROCESSES", _Unreadable("/proc"))
            assert await processes.gone([known]) == set()
            with pytest.raises(CannotTellError):
                await processes.identity(child.pid)
        assert await processes.gone([known]) == set()
        child.kill()
        child.wait()
        assert await processes.gone([known]) == {known}
    finally:
        processes.close()


def test_a_boot_that_cannot_be_read_does_not_make_another_process_of_every_process(
    child: "subprocess.Popen[bytes]", identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "_BOOT", _Unreadable("/proc/sys/kernel/random/boot_id"))
    assert fate_of(child.pid, identity) is Fate.UNKNOWN


def test_a_program_that_does_not_answer_about_a_process_does_not_make_it_gone(
    child: "subprocess.Popen[bytes]", identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_slow(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("ps", 5)

    monkeypatch.setattr(platform, "_PROCESSES", Path("/nonexistent"))
    monkeypatch.setattr(subprocess, "run", too_slow)
    assert fate_of(child.pid, identity) is Fate.UNKNOWN


def test_the_folder_of_a_launch_that_may_live_is_not_swept(
    child: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as base:
        other = Path(base) / f"aileron-launch-{child.pid}-x"
        other.mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(platform, "_PROCESSES", _Unreadable("/proc"))
            with scratch({"XDG_RUNTIME_DIR": base}):
                assert other.exists()
        child.kill()
        child.wait()
        with scratch({"XDG_RUNTIME_DIR": base}):
            assert not other.exists()


def test_a_process_that_may_not_be_the_daemon_any_more_gets_no_signal(
    child: "subprocess.Popen[bytes]", identity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    texts = dict.fromkeys(("control_url", "agent_url", "token", "started_at", "version"), "")
    write_discovery(home.discovery_path, Discovery(pid=child.pid, identity=identity, home=str(home.path), **texts))
    monkeypatch.setattr(platform, "_PROCESSES", _Unreadable("/proc"))
    assert read_discovery(home.discovery_path) is not None
    with pytest.raises(SpawnError, match="cannot be told whether process"):
        stop_daemon(home)
    assert child.poll() is None


class _Unreadable:
    """A path below which nothing can be opened just now, though it exists."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __truediv__(self, name: str) -> "_Unreadable":
        return _Unreadable(f"{self._path}/{name}")

    def exists(self) -> bool:
        return True

    def read_text(self) -> str:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), self._path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is asked where it works")
def test_where_a_process_works_is_said_of_that_process_only_and_of_none_that_has_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        identity = process_identity(process.pid)
        assert identity is not None
        assert working_folder(process.pid, identity) == tmp_path
        assert working_folder(process.pid, "another") is None
        process.kill()
    assert working_folder(process.pid, identity) is None

"""How an agent gets a folder: which way, what is mounted then, and when nothing starts."""

import asyncio
import errno
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually
from workspaces.conftest import SetClock

from daemon.core.failures import Failure
from daemon.core.launch_request import WorkspaceWay
from daemon.sandbox.engine import Engine
from daemon.sandbox.git_identity import Identity, gitconfig
from daemon.sandbox.volumes import shares_processes, was_not_mounted
from daemon.sandbox.workplace import Workplaces, choose
from daemon.workspaces.layers.layer import State
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.quota import Bounds
from daemon.workspaces.layers.site import Site, survey
from daemon.workspaces.values import Way

LINUX = {"desktop": False, "rootless": False}
DESKTOP = {"desktop": True, "rootless": False}
ROOTLESS = {"desktop": False, "rootless": True}


def workplaces(folder: Path, *, spare: int = 0) -> Workplaces:
    return Workplaces(
        layers=Layers(folder / "home" / "workspaces", clock=SetClock()),
        engine=Engine(socket=None),
        off_limits=OffLimits(homes=(folder / "home",), person=folder / "person"),
        bounds=Bounds(quota=2**30, spare=spare),
    )


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("wanted", "engine", "obstacle", "way", "said"),
    [
        ("auto", LINUX, "", Way.OVERLAY, ""),
        ("auto", LINUX, "no attributes", Way.COPY, "no attributes"),
        ("auto", DESKTOP, "", Way.COPY, "this engine runs in a machine of its own"),
        ("auto", ROOTLESS, "", Way.COPY, "this engine is rootless"),
        ("copy", LINUX, "", Way.COPY, ""),
        ("live", LINUX, "no attributes", Way.LIVE, ""),
    ],
)
def test_the_way_follows_from_the_engine_and_the_file_system(
    wanted: WorkspaceWay, engine: dict[str, Any], obstacle: str, way: Way, said: str
) -> None:
    assert choose(wanted, engine, lambda: obstacle) == (way, said)


@pytest.mark.parametrize("engine", [DESKTOP, ROOTLESS])
def test_live_is_refused_where_the_engine_cannot_mount_what_was_opened(engine: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="no --workspace live"):
        choose("live", engine, str)


async def test_where_the_disk_is_nearly_full_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "home" / "workspaces").mkdir(parents=True)
    with pytest.raises(Failure, match="nearly full"):
        await workplaces(tmp_path, spare=2**60).open(tmp_path / "project", "auto", LINUX)


async def test_a_workplace_that_was_not_begun_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "home" / "workspaces").mkdir(parents=True)
    places = workplaces(tmp_path)
    before = open_files()
    for _ in range(5):
        places.drop(await places.open(tmp_path / "project", "auto", LINUX))
    assert open_files() == before


async def test_a_workplace_that_nobody_waits_for_any_more_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "home" / "workspaces").mkdir(parents=True)
    places = workplaces(tmp_path)
    places.drop(await places.open(tmp_path / "project", "auto", LINUX))
    before, begun, may_end = open_files(), threading.Event(), threading.Event()

    def late(*given: Any) -> Site:
        site = survey(*given)
        begun.set()
        may_end.wait()
        return site

    monkeypatch.setattr("daemon.sandbox.workplace.survey", late)
    opening = asyncio.ensure_future(places.open(tmp_path / "project", "auto", LINUX))
    await eventually(begun.is_set)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert open_files() > before
    may_end.set()
    await eventually(lambda: open_files() == before)


async def test_a_workplace_that_ended_leaves_nothing_open_and_an_empty_layer_goes(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "home" / "workspaces").mkdir(parents=True)
    places = workplaces(tmp_path)
    before = open_files()
    for number, write in enumerate((False, True)):
        place = await places.open(tmp_path / "project", "auto", LINUX)
        await places.begin(place, f"ses_{number}", agent="codex", label="", user="1:1")
        place.started = True
        assert place.layer is not None
        if write:
            (place.layer.upper(place.layer.work) / "x").touch()
        told = await places.end(place)
        assert told == {"workspace": {"way": "overlay", "kept": write}}
    assert open_files() == before
    assert [layer.session for layer in places.layers.all().layers] == ["ses_1"]


async def test_a_disk_that_fails_does_not_keep_a_session_from_ending_and_the_work_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "home" / "workspaces").mkdir(parents=True)
    places = workplaces(tmp_path)
    before = open_files()
    place = await places.open(tmp_path / "project", "auto", LINUX)
    await places.begin(place, "ses_1", agent="codex", label="", user="1:1")
    place.started = True
    assert place.layer is not None
    (place.layer.upper(place.layer.work) / "x").touch()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("daemon.workspaces.layers.layers.replace_file", full)
        assert await places.end(place) == {"workspace": {"way": "overlay", "kept": True}}
    assert open_files() == before
    [kept] = places.layers.recover()
    assert (kept.session, kept.state) == ("ses_1", State.ENDED)


async def test_a_start_that_failed_leaves_no_layer_also_if_something_was_copied(tmp_path: Path) -> None:
    (tmp_path / "project" / "a").mkdir(parents=True)
    (tmp_path / "home" / "workspaces").mkdir(parents=True)
    places = workplaces(tmp_path)
    place = await places.open(tmp_path / "project", "copy", LINUX)
    await places.begin(place, "ses_1", agent="codex", label="", user="1:1")
    await places.end(place)
    assert list((tmp_path / "home" / "workspaces").iterdir()) == []


async def test_a_layer_over_which_the_engine_lays_nothing_becomes_a_copy(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "mine").write_text("mine")
    (tmp_path / "home" / "workspaces").mkdir(parents=True)
    places = workplaces(tmp_path)
    place = await places.open(tmp_path / "project", "auto", LINUX)
    await places.begin(place, "ses_1", agent="codex", label="", user="1:1")
    await places.copy_instead(place, "the kernel refuses")
    assert (place.way, place.held) == (Way.COPY, {})
    assert place.layer is not None
    assert (place.layer.upper(place.layer.work) / "mine").read_text() == "mine"
    assert "was copied for the agent, because the kernel refuses" in place.notes[-1]
    (mounted,) = await places.mounts(place, "ses_1", anchor="", copies=tmp_path)
    assert (mounted.bind, mounted.source) == (True, str(place.layer.upper(place.layer.work)))
    place.started = True
    await places.end(place)


class FakeDocker:
    """The one question that is asked of the engine's library."""

    def __init__(self, number: int) -> None:
        self._number = number

    def inspect_container(self, _: str) -> dict[str, Any]:
        return {"State": {"Pid": self._number}}


def test_an_engine_that_counts_processes_otherwise_is_noticed() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        while b"cat" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            pass
        assert shares_processes(FakeDocker(process.pid), "a") is True
        process.kill()
    for number in (os.getpid(), 2**22 - 1, 0):
        assert shares_processes(FakeDocker(number), "a") is False


def test_only_a_mount_that_failed_turns_a_layer_to_a_copy() -> None:
    from daemon.core.failures import Boundary, FailureClass

    def failure(message: str) -> Failure:
        return Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.SANDBOX)

    said = "The Docker engine refuses: error while mounting volume: failed to mount local volume: mount overlay:..."
    assert was_not_mounted(failure(said))
    assert not was_not_mounted(failure("The Docker engine refuses: no such image"))


def test_a_name_cannot_write_configuration_of_its_own(tmp_path: Path) -> None:
    odd = 'x"\n[core]\n\tfsmonitor = /bin/touch # \\'
    place = tmp_path / "config"
    place.write_text(gitconfig(Identity(odd, "a;b#c@example.com", "ma in")))

    def asked(key: str) -> str:
        command = ["git", "config", "--file", str(place), key]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert asked("core.fsmonitor") == ""
    assert asked("user.name") == odd.replace("\n", "").replace("\t", "") + "\n"
    assert asked("user.email") == "a;b#c@example.com\n"
    assert asked("init.defaultbranch") == "ma in\n"
    assert asked("safe.directory") == "*\n"
    assert gitconfig(Identity()) == "[safe]\n\tdirectory = *\n"

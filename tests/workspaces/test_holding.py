"""Of a folder that an agent works on itself: what is held, and what is named at the end."""

import os
import time

import pytest
from workspaces.conftest import Machine

from daemon.workspaces.layers.opening import open_folder
from daemon.workspaces.layers.quota import Bounds
from daemon.workspaces.looking.holding import obeyed_since, of_repository, to_hold
from daemon.workspaces.looking.runs_later import Pointed, topmost


def test_what_tools_obey_and_is_there_is_held_at_any_depth(machine: Machine) -> None:
    machine.repository()
    machine.repository(machine.project / "vendor")
    for name in (".envrc", "a/b/.envrc", "a/.vscode/tasks.json", "scripts/hook", "plain"):
        (machine.project / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.project / name).write_text("x")
    (machine.project / "AGENTS.md").symlink_to("plain")
    with open_folder(machine.project) as opened:
        held = to_hold(opened.descriptor, [Pointed(path="scripts/hook", key="core.fsmonitor")])
        assert sorted(held.folders) == ["a/.vscode", "vendor/.git"]
        assert sorted(held.files) == [".envrc", "a/b/.envrc", "scripts/hook"]
        assert held.links == ["AGENTS.md"]
        git = of_repository(opened.descriptor, ".git", worktree=False)
        assert {".git/hooks", ".git/info"} <= set(git.folders)
        assert git.files == [".git/config"]


def wait_for_the_clock(folder: Machine) -> int:
    """Return a time that everything so far is older than, and everything from now on is not."""
    trial = folder.folder / "trial"
    trial.touch()
    before = trial.stat().st_ctime_ns
    while trial.stat().st_ctime_ns == before:
        time.sleep(0.001)
        trial.touch()
    return trial.stat().st_ctime_ns


def test_what_is_new_and_obeyed_is_named_however_deep_and_whatever_its_times_say(machine: Machine) -> None:
    machine.repository()
    (machine.project / ".envrc").write_text("old")
    began = wait_for_the_clock(machine)
    for name in (
        "a/b/c/.envrc",
        "x/.vscode/tasks.json",
        "bare/HEAD",
        "bare/objects/x",
        "bare/refs/x",
        ".git/hooks/run",
    ):
        (machine.project / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.project / name).write_text("x")
        os.utime(machine.project / name, (0, 0))
    (machine.project / "plain").write_text("x")
    machine.git("add", "plain")
    machine.git("commit", "-q", "-m", "ordinary work")
    with open_folder(machine.project) as opened:
        found, not_seen = obeyed_since(opened.descriptor, began)
    assert "a/b/c/.envrc" in found
    assert "x/.vscode" in found
    assert "bare" in found
    assert any(path.startswith(".git/hooks") for path in found)
    assert not {".envrc", "plain", ".git/index", ".git/HEAD"} & set(found)
    assert not_seen == []


def test_a_folder_that_cannot_be_listed_is_named(machine: Machine) -> None:
    (machine.project / "shut").mkdir()
    (machine.project / "loop").symlink_to("shut")
    with open_folder(machine.project) as opened:
        (machine.project / "shut").chmod(0)
        _, not_seen = obeyed_since(opened.descriptor, 0)
    (machine.project / "shut").chmod(0o755)
    assert not_seen == ([] if os.geteuid() == 0 else ["shut (Permission denied)"])


def test_too_much_is_said_with_its_setting_and_the_nearer_it_is_the_sooner_it_is_looked_at() -> None:
    bounds = Bounds(quota=10 * 2**30, spare=2**30)
    plenty = 100 * 2**30
    assert bounds.problem(written=10 * 2**30, free=plenty) == ""
    assert "more than 10 GiB" in bounds.problem(written=10 * 2**30 + 1, free=plenty)
    assert "less than 1 GiB is free" in bounds.problem(written=0, free=2**30 - 1)
    far = bounds.pause(written=0, took_seconds=0.1)
    near = bounds.pause(written=9 * 2**30, took_seconds=0.1)
    assert 1.0 <= near < far <= 30.0
    assert bounds.pause(written=0, took_seconds=60.0) == 600.0
    assert not bounds.may_be_near(written=9 * 2**30, taken_since=2**28)
    assert bounds.may_be_near(written=9 * 2**30, taken_since=2**29)


def test_what_is_gone_before_it_can_be_held_does_not_stop_the_search(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".envrc", "a/.envrc"):
        (machine.project / name).parent.mkdir(exist_ok=True)
        (machine.project / name).write_text("x")

    def gone(path: str, **more: bool) -> str | None:
        if path == ".envrc":
            (machine.project / path).unlink(missing_ok=True)
        return topmost(path, **more)

    monkeypatch.setattr("daemon.workspaces.looking.holding.topmost", gone)
    with open_folder(machine.project) as opened:
        assert to_hold(opened.descriptor, []).files == ["a/.envrc"]

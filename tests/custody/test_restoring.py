"""A restore is all or nothing, wherever it is killed, and keeps the home that was there before."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from custody.homes import FILES, NOT_FILES, contents, furnish

from daemon.base import exact_renames
from daemon.custody.contents import RESTORED
from daemon.custody.manifest import BackupError
from daemon.custody.restoring import is_taken, left_behind, restore

_STEPS = ("fsync", "mkdir", "rename", "unlink")


def test_a_restored_home_is_the_one_that_was_backed_up_in_content_and_modes(original: Path, tmp_path: Path) -> None:
    backup = original / "backup"
    restored = restore(backup, tmp_path / "new", stamp="x")
    assert restored.kept is None
    before, after = contents(original / "home"), contents(tmp_path / "new")
    for path in FILES:
        assert after[path] == before[path]
    assert set(after) == {*FILES, "aileron.db", "ca/audit.key", "ca/audit.seal", "ca/audit.running", RESTORED}
    assert after["store/connectors/sha256/ab/connector.wasm"][0] == 0o400
    assert {path.stat().st_mode & 0o777 for path in [tmp_path / "new", *(tmp_path / "new").rglob("*/")]} == {0o700}
    assert not set(after) & set(NOT_FILES)


def test_the_home_that_was_there_is_kept_beside_the_restored_one(backup: Path, tmp_path: Path) -> None:
    furnish(tmp_path / "home")
    before = contents(tmp_path / "home")
    restored = restore(backup, tmp_path / "home", stamp="20261126")
    assert restored.kept == tmp_path / "home.before-20261126"
    assert contents(restored.kept) == before
    assert set(contents(tmp_path / "home")) & set(NOT_FILES) == set()


def test_a_home_counts_as_taken_only_if_something_is_in_it(tmp_path: Path) -> None:
    assert not is_taken(tmp_path / "none")
    for name in ("actions", "logs"):
        (tmp_path / "home" / name).mkdir(parents=True)
    (tmp_path / "home" / "daemon.lock").touch()
    assert not is_taken(tmp_path / "home")
    (tmp_path / "home" / "actions" / "a.md").touch()
    assert is_taken(tmp_path / "home")


def test_where_two_folders_cannot_change_places_nothing_is_changed_and_the_way_is_named(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: Any) -> None:
        raise OSError(22, "Invalid argument")

    furnish(tmp_path / "home")
    before = contents(tmp_path / "home")
    monkeypatch.setattr(exact_renames, "exchange", cannot)
    with pytest.raises(BackupError, match="mv "):
        restore(backup, tmp_path / "home", stamp="x")
    assert contents(tmp_path / "home") == before
    assert not list(tmp_path.glob("home.*"))


def killed_at(step: int, work: Callable[[], Any]) -> bool:
    """Do some work in a child process that is killed before a step on the disk; say whether it got that far."""
    child = os.fork()
    if child == 0:
        count = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*given, **named)

            return call

        for name in _STEPS:
            setattr(os, name, counted(getattr(os, name)))
        exact_renames.exchange = counted(exact_renames.exchange)
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("there", [True, False], ids=["over another home", "where none was"])
def test_killed_before_any_step_the_home_is_the_old_or_the_restored_one_whole(
    backup: Path, tmp_path: Path, there: bool
) -> None:
    home = tmp_path / "place" / "home"
    home.parent.mkdir()
    old = {}
    if there:
        (home / "actions").mkdir(parents=True)
        (home / "actions" / "old.md").write_text("old")
        old = contents(home)
    new = contents(restore(backup, tmp_path / "whole", stamp="x").home)
    seen = set()
    for step in range(1, 200):
        killed = killed_at(step, lambda: restore(backup, home, stamp="x"))
        found = contents(home) if home.exists() else {}
        assert found in (old, new), step
        seen.add("new" if found == new else "old")
        kept = [contents(path) for path in (*left_behind(home), *home.parent.glob("home.before-*"))]
        if there and found == new:
            assert old in kept
        if not killed:
            break
        for path in (*left_behind(home), *home.parent.glob("home.before-*")):
            path.rename(tmp_path / f"seen-{step}-{path.name}")
        if found == new:
            home.rename(tmp_path / f"new-{step}")
            if there:
                (home / "actions").mkdir(parents=True)
                (home / "actions" / "old.md").write_text("old")
    assert not killed
    assert step > 20
    assert seen == {"old", "new"}
    assert contents(home) == new
    assert not left_behind(home)

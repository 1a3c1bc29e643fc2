"""What tools of the host would obey in the folders below a workspace, found when a sandbox ends."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from daemon.sandbox import places
from daemon.sandbox.places import look_below


def begin(folder: Path) -> int:
    """Return the time of now, as the file system tells it."""
    time.sleep(0.02)
    (folder / "mark").touch()
    time.sleep(0.02)
    return (folder / "mark").lstat().st_ctime_ns


def test_what_was_there_and_stayed_as_it_was_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / ".envrc").write_text("export A=1\n")
    subprocess.run(["git", "init", "-q", str(tmp_path / "old" / "repository")], check=True)
    since = begin(tmp_path)
    (tmp_path / "old" / "source.py").write_text("x = 1\n")
    subprocess.run(["git", "add", "."], cwd=tmp_path / "old" / "repository", check=True)
    assert look_below(tmp_path, since_ns=since) == ([], True)


def test_what_is_new_or_changed_is_told(tmp_path: Path) -> None:
    for name in ("a", "b/c", "d", "e"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / ".envrc").write_text("export A=1\n")
    (tmp_path / "d" / ".vscode").mkdir()
    (tmp_path / "d" / ".vscode" / "tasks.json").write_text("{}")
    subprocess.run(["git", "init", "-q", str(tmp_path / "e")], check=True)
    since = begin(tmp_path)
    (tmp_path / "a" / ".envrc").write_text("export A=2\n")
    subprocess.run(["git", "init", "-q", str(tmp_path / "b" / "c")], check=True)
    (tmp_path / "d" / ".vscode" / "tasks.json").write_text('{"a": 1}')
    (tmp_path / "e" / ".git" / "hooks" / "pre-commit").write_text("#!/bin/sh\n")
    (tmp_path / "b" / ".mcp.json").symlink_to("/etc/passwd")
    assert look_below(tmp_path, since_ns=since) == (
        ["a/.envrc", "b/.mcp.json", "b/c/.git", "d/.vscode", "e/.git"],
        True,
    )


def test_what_lies_at_the_top_is_held_and_no_link_is_followed(tmp_path: Path) -> None:
    since = begin(tmp_path)
    (tmp_path / ".envrc").touch()
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / ".envrc").touch()
    (tmp_path / "link").symlink_to(outside)
    assert look_below(tmp_path, since_ns=since) == ([], True)


def test_a_time_that_was_set_back_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    since = begin(tmp_path)
    (tmp_path / "a" / ".envrc").write_text("x")
    os.utime(tmp_path / "a" / ".envrc", (1, 1))
    assert look_below(tmp_path, since_ns=since) == (["a/.envrc"], True)


def test_a_search_that_takes_too_long_says_that_it_did_not_see_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / ".envrc").touch()
    found, complete = look_below(tmp_path, since_ns=0)
    assert (len(found), complete) == (20, False)
    monkeypatch.setattr(places, "_MOST_SECONDS", -1)
    assert look_below(tmp_path, since_ns=0) == ([], False)

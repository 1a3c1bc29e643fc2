"""The daemon's log as a person reads it: the last lines and what comes, whole and in order, across rotation."""

import logging
import logging.handlers
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.cli.log_files import Follower, last_lines


def moved_on(path: Path) -> None:
    """Do what the handler of the log does when a file is full."""
    for number in range(5, 0, -1):
        older = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number}"))


def test_the_last_lines_come_from_as_many_files_as_they_need(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    assert last_lines(path, 5) == []
    for text in ("a\nb\n", "c\n", "d\ncut"):
        moved_on(path)
        path.write_text(text)
    assert last_lines(path, 3) == ["b", "c", "d"]
    assert last_lines(path, 100) == ["a", "b", "c", "d"]
    assert last_lines(path, 0) == []


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.sampled_from(["write", "half", "move", "read"]), max_size=30))
def test_whoever_follows_gets_each_line_once_and_whole_however_files_are_moved(
    tmp_path_factory: object, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "x.jsonl"  # type: ignore[attr-defined]
    path.write_text("before\n")
    follower = Follower(path)
    follower.begin()
    got: list[str] = []
    moves = 0
    text = ""
    for number, step in enumerate(steps):
        if step == "read":
            got += follower.new_lines()
            moves = 0
        elif step == "move" and moves < 3 and (not text or text.endswith("\n")):
            moved_on(path)
            path.touch()
            moves += 1
        elif step != "move":
            piece = f"line {number} \u2028 of one\n" if step == "write" else f"part {number} "
            text += piece
            with path.open("a") as file:
                file.write(piece)
    got += follower.new_lines()
    follower.close()
    assert got == text.split("\n")[:-1]


def test_following_the_real_handler_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "daemon.jsonl"
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=500, backupCount=5, delay=True)
    follower = Follower(path)
    follower.begin()
    got: list[str] = []
    for number in range(200):
        handler.emit(logging.makeLogRecord({"msg": f"line {number}"}))
        if number % 7 == 0:
            got += follower.new_lines()
    got += follower.new_lines()
    follower.close()
    handler.close()
    assert got == [f"line {number}" for number in range(200)]

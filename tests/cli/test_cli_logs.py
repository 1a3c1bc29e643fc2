"""`aileron logs`: what is printed of the daemon's own log, and how."""

import json
from pathlib import Path
from typing import Any

HOSTILE = "evil\x1b[2J\u202ename"


def test_lines_are_readable_on_their_own_and_cannot_steer_a_terminal(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    first = {
        "level": "error",
        "logger": "daemon.sandbox",
        "timestamp": "2026-11-20T21:00:00Z",
        "message": HOSTILE,
        "path": HOSTILE,
        "exception": "Traceback\n  \x1b[31mred",
    }
    (folder / "daemon.jsonl").write_text(json.dumps(first, ensure_ascii=False) + "\ncut off in the mid\x1bdle\n")
    for terminal in (False, True):
        shown = cli("logs", terminal=terminal).out
        assert "evil\\u001b[2J\\u202ename" in shown
        assert "    Traceback\n      \\u001b[31mred\n" in shown
        assert "cut off in the mid\\u001bdle" in shown
        assert not {"\x1b", "\u202e"} & set(shown)
    assert "2026-11-20T21:00:00Z error" in cli("logs").out
    assert json.loads(cli("logs", "--json", "-n", "2").out.splitlines()[0]) == first
    assert cli("logs", "-n", "1").out.count("\n") == 1


def test_a_log_that_is_not_there_is_said_and_no_failure(cli: Any, tmp_path: Path) -> None:
    ended = cli("logs")
    assert (ended.code, ended.out) == (0, "")
    assert f"No daemon has written to {tmp_path}/logs/daemon.jsonl yet." in ended.err

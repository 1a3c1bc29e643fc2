"""In SQLite the runs under way are one tree; a run that the version before left open stays as it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

from former import make_former

from daemon.db.migration import migrate

RUN = {
    "id": "exe_1",
    "session": "ses_1",
    "actor": "agent:ses_1",
    "kind": "server",
    "name": "files.write",
    "approval": None,
    "stage": "call",
    "may_have_left": 1,
    "started_ms": 1_700_000_000_000,
    "started_audit_id": "aud_1",
}


def test_a_run_that_the_version_before_left_open_is_carried_over_whole(tmp_path: Path) -> None:
    path = tmp_path / "aileron.db"
    make_former(path, "0006")
    runs = [RUN, {**RUN, "id": "exe_0", "approval": "apr_1", "may_have_left": 0}]
    names = ", ".join(RUN)
    with closing(sqlite3.connect(path)) as before:
        before.executemany(f"INSERT INTO open_executions ({names}) VALUES ({', '.join(map(':{}'.format, RUN))})", runs)
        before.commit()
        assert trees(before) == 2
    report = migrate(path, backups=tmp_path / "backups", now_ms=1)
    assert (report.before, report.backup is None) == ("0006", False)
    with closing(sqlite3.connect(path)) as after:
        found = after.execute(f"SELECT {names} FROM open_executions ORDER BY id DESC").fetchall()
        assert [dict(zip(RUN, row, strict=True)) for row in found] == runs
        assert trees(after) == 1


def trees(connection: sqlite3.Connection) -> int:
    """Return how many trees SQLite keeps for the table."""
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE tbl_name = 'open_executions'").fetchone()
    return int(found[0])

"""A database of the version before servers keeps what it has, and gets the tables of servers' tools, empty."""

import sqlite3
from contextlib import closing
from pathlib import Path

from former import make_former

from daemon.db.migration import migrate

TABLES = ("server_looks", "server_tools", "server_tool_names")


def test_a_database_of_the_version_before_is_carried_over(tmp_path: Path) -> None:
    path, backups = tmp_path / "aileron.db", tmp_path / "backups"
    make_former(path, "0005")
    with closing(sqlite3.connect(path)) as before:
        before.execute(
            "INSERT INTO sessions (id, kind, label, created_ms, expires_ms, capabilities) VALUES ('s','api','x',1,2,'')"
        )
        before.commit()
    report = migrate(path, backups=backups, now_ms=2)
    assert report.before == "0005"
    assert report.backup is not None
    with closing(sqlite3.connect(path)) as after:
        assert after.execute("SELECT label FROM sessions").fetchall() == [("x",)]
        for table in TABLES:
            assert after.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)

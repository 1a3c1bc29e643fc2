"""A database in the shape in which an older version left it; ordinarily of the one that knew actions only."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config

import migrations
from daemon.db.engine import open_engine

FORMER = "0003"


def make_former(path: Path, revision: str = FORMER) -> None:
    """Make a database with the migrations up to this revision, and with no others."""
    engine = open_engine(path)
    with engine.execution_options(aileron_writes=True).begin() as connection:
        configuration = Config()
        configuration.set_main_option("script_location", str(Path(migrations.__file__).parent))
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
    engine.dispose()


def turn_back(path: Path) -> None:
    """Give a database of today the tables of the version before, with the rows that fit both."""
    old = path.with_name("former.db")
    make_former(old)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ATTACH ? AS former", (str(old),))
        for name in ("audit_events", "audit_checkpoints", "sessions"):
            there = {row[1] for row in connection.execute(f"PRAGMA former.table_info({name})")}
            both = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({name})") if row[1] in there)
            connection.execute(f"INSERT INTO former.{name} ({both}) SELECT {both} FROM main.{name}")
        connection.commit()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old.replace(path)


def put_approval(path: Path, approval: str, **given: Any) -> dict[str, Any]:
    """Write an approval the way the version before did, and return what was written."""
    arguments, accounts = given.pop("arguments", {"n": 1}), given.pop("accounts", [])
    hashes = given.pop("connector_hashes", ["sha256:bb"])
    row: dict[str, Any] = {
        "id": approval,
        "session": "ses_1",
        "actor": "agent",
        "action": "ship",
        "action_version": "1.0.0",
        "action_hash": "sha256:aa",
        "connector_hashes": json.dumps(hashes),
        "accounts": None if accounts is None else json.dumps(accounts),
        "arguments": json.dumps(arguments, sort_keys=True, separators=(",", ":")),
        "state": "pending",
        "created_ms": 1_700_000_000_000,
        "expires_ms": 4_000_000_000_000,
        "request_audit_id": "aud_1",
        **given,
    }
    bound = {
        "digest": "aileron-approval-2",
        "session": row["session"],
        "action": row["action_hash"],
        "connectors": hashes,
        "accounts": accounts,
        "arguments": arguments,
    }
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    row["digest"] = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    _insert(path, "approvals", row)
    return row


def put_open_run(path: Path, execution: str, **given: Any) -> None:
    """Write a run that was under way the way the version before did."""
    row = {
        "id": execution,
        "session": "ses_1",
        "actor": "agent",
        "action": "ship",
        "approval": None,
        "step": "post",
        "may_have_left": 1,
        "started_ms": 1_700_000_000_000,
        "started_audit_id": "aud_2",
        **given,
    }
    _insert(path, "open_executions", row)


def _insert(path: Path, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
        connection.commit()

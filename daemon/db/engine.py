"""Opens the database: write-ahead log, full fsync, transactions that begin where we say."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from daemon.db.statements import run_on_driver

BEGUN_BY_HAND = "aileron_begun_by_hand"
"""An option of a connection on which whoever has it begins and ends transactions on the driver's own connection."""

_BUSY_MS = 5_000
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # FULL: a commit is on the disk when it returns. NORMAL would lose the last commits with the power.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # The write-ahead log goes into the database every 16 MB and not every 4: the same pages are written again and
    # again, and who waits for the commit in which that happens waits 3 ms longer.
    "PRAGMA wal_autocheckpoint=4000",
    f"PRAGMA busy_timeout={_BUSY_MS}",
)


def open_engine(path: Path) -> Engine:
    """Return an engine on the database file, which only its owner can read."""
    _make_private(path)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),  # not as text: a path may hold what a URL gives a meaning
        pool_size=8,
        max_overflow=4,
        connect_args={"check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _make_private(path: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the database itself.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    path.chmod(0o600)


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    # The driver's own idea of when a transaction begins leaves DDL and savepoints outside of it; ours is explicit.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # Only the writer asks for the write lock; readers see a snapshot and wait for nobody.
    options = connection.get_execution_options()
    if not options.get(BEGUN_BY_HAND):
        run_on_driver(connection, "BEGIN IMMEDIATE" if options.get("aileron_writes") else "BEGIN DEFERRED")

"""The rows of the log as they lie in the file, read past whatever is damaged."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]

_COLUMNS = "seq, id, time, type, session, actor, action, connector, failure_class, payload, prev_hash, hash"
_ALL = f"SELECT {_COLUMNS} FROM audit_events ORDER BY seq"  # noqa: S608 - a constant
_AFTER = f"SELECT {_COLUMNS} FROM audit_events WHERE seq > ? ORDER BY seq"  # noqa: S608 - a constant
_NEXT = "SELECT seq FROM audit_events WHERE seq > ? ORDER BY seq LIMIT 1"
_BATCH = 2000
_FURTHEST = 2**40


@dataclass(frozen=True, slots=True)
class Unread:
    """Numbers whose rows the database cannot give back; without a last one, all from there on."""

    first: int
    last: int | None
    reason: str


def read_rows(connection: sqlite3.Connection, *, after: int | None = None) -> Iterator[list[Row] | Unread]:
    """Yield all rows by number, or those behind one, in batches, and what could not be read in between."""
    while True:
        try:
            cursor = connection.execute(_ALL) if after is None else connection.execute(_AFTER, (after,))
            while batch := cursor.fetchmany(_BATCH):
                after = batch[-1][0]
                yield batch
            return
        except sqlite3.Error:
            batch, problem = _read_carefully(connection, after)
        if batch:
            after = batch[-1][0]
            yield batch
        if problem is not None:
            after = 0 if after is None else after
            found = _first_readable(connection, after)
            yield Unread(after + 1, None if found is None else found - 1, str(problem))
            if found is None:
                return
            after = found - 1


def _read_carefully(connection: sqlite3.Connection, after: int | None) -> tuple[list[Row], sqlite3.Error | None]:
    """Read one batch row by row, so that what comes before the damage is kept, and text that is no text comes back."""
    batch: list[Row] = []
    usual, connection.text_factory = connection.text_factory, _any_text
    try:
        cursor = connection.execute(_ALL) if after is None else connection.execute(_AFTER, (after,))
        while len(batch) < _BATCH and (row := cursor.fetchone()) is not None:
            batch.append(row)
    except sqlite3.Error as problem:
        return batch, problem
    finally:
        connection.text_factory = usual
    return batch, None


def _first_readable(connection: sqlite3.Connection, after: int) -> int | None:
    """Return the number of the first row behind the damage, if there is one."""
    step = 1
    while not _readable(connection, after + step):
        step *= 2
        if step > _FURTHEST:
            return None
    bad, good = after + step // 2, after + step
    while good - bad > 1:
        middle = (bad + good) // 2
        bad, good = (bad, middle) if _readable(connection, middle) else (middle, good)
    row = connection.execute(_NEXT, (good,)).fetchone()
    return None if row is None else int(row[0])


def _readable(connection: sqlite3.Connection, after: int) -> bool:
    try:
        cursor = connection.execute(_AFTER, (after,))
        cursor.fetchone()
    except sqlite3.OperationalError as problem:
        return "decode" in str(problem)  # a row is there; only its text is damaged
    except sqlite3.Error:
        return False
    return True


def _any_text(raw: bytes) -> str:
    # A byte that was flipped may leave text that is not UTF-8; it must reach the hash, not stop the walk.
    return raw.decode("utf-8", "surrogateescape")

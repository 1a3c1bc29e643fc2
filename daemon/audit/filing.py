"""The index through which filters find events: filled some hundred events at a time.

An index that is kept with every event costs a page for each event and column, which was half of what a commit wrote.
Those that are not filed yet are few enough to be looked at one by one. What is filed can be made anew from the events.
"""

import sqlite3

from daemon.db.tables import audit_index

AT_ONCE = 256
_MOST_AT_ONCE = 4096
"""So many are filed with one commit when there is more to do than usual."""

_COLUMNS = tuple(column.name for column in audit_index.columns)
_LISTED = ", ".join(_COLUMNS)
_INDEXED, _STORED = (", ".join(f"{table}.{name}" for name in _COLUMNS) for table in ("i", "e"))
_FILE = f"INSERT INTO audit_index ({_LISTED}) SELECT {_LISTED} FROM audit_events WHERE seq > ? AND seq <= ?"  # noqa: S608
_EMPTY = "DELETE FROM audit_index"
_LAST = "SELECT max(seq) FROM audit_index"
_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'audit_index'"
_OTHER = (
    "SELECT i.seq FROM audit_index AS i LEFT JOIN audit_events AS e ON e.seq = i.seq"  # noqa: S608 - constants
    f" WHERE ({_INDEXED}) IS NOT ({_STORED}) ORDER BY i.seq LIMIT 1"
)
_LEFT_OUT = (
    "SELECT min(seq) FROM audit_events WHERE seq <= ? AND NOT EXISTS"
    " (SELECT 1 FROM audit_index AS i WHERE i.seq = audit_events.seq)"
)
_COUNT = "SELECT count(*) FROM audit_index"


class Filing:
    """How far the index has come, as its one writer knows it; `kept` is for a transaction that was committed."""

    def __init__(self) -> None:
        self._filed = 0
        self._next = 0

    def find(self, connection: sqlite3.Connection, *, end: int) -> None:
        """Learn how far it has come, in a transaction; one that goes beyond the end of the log is not ours."""
        self._filed = self._next = last_filed(connection)
        if self._filed > end:
            self.empty(connection)

    def empty(self, connection: sqlite3.Connection) -> None:
        """Begin anew, in a transaction."""
        connection.execute(_EMPTY)
        self._filed = self._next = 0

    def add(self, connection: sqlite3.Connection, *, end: int) -> None:
        """File what is due of the events up to the end, in the transaction that puts the last of them in."""
        self._next = self._filed
        if end - self._filed >= AT_ONCE:
            self._next = min(end, self._filed + _MOST_AT_ONCE)
            connection.execute(_FILE, (self._filed, self._next))

    def kept(self) -> None:
        """Note that what was added is on the disk."""
        self._filed = self._next


def last_filed(connection: sqlite3.Connection) -> int:
    """Return the number of the last event that is filed."""
    return int(connection.execute(_LAST).fetchone()[0] or 0)


def wrongly_filed(connection: sqlite3.Connection) -> int | None:
    """Return the first event that filters would find by something else, or not at all; None if there is none."""
    if connection.execute(_THERE).fetchone() is None:
        return None  # a log of a version before
    other = connection.execute(_OTHER).fetchone()
    if other is not None:
        return int(other[0])
    last = last_filed(connection)
    if connection.execute(_COUNT).fetchone()[0] == last:
        return None  # as many as there are numbers
    left_out = connection.execute(_LEFT_OUT, (last,)).fetchone()[0]
    return None if left_out is None else int(left_out)

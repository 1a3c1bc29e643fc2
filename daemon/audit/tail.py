"""Reads the end of the log again, and says whether it still leads where it did; as cheap as reading and hashing."""

import sqlite3
from hashlib import sha256

from daemon.audit.events import ABSENT, NEVER_STORED
from daemon.audit.seal import Place

_TAIL = (
    "SELECT seq, id, time, type, session, actor, action, connector, failure_class, payload, prev_hash, hash"
    " FROM audit_events WHERE seq > ? AND seq <= ? ORDER BY seq"
)
_END = "SELECT max(seq) FROM audit_events"
_AT = "SELECT hash FROM audit_events WHERE seq = ?"
_SIGNED = "SELECT hash FROM audit_checkpoints ORDER BY seq DESC LIMIT 1"


def leads_to(connection: sqlite3.Connection, start: Place, head: Place, *, end: int) -> bool:
    """Say whether the events behind a checkpoint are those that lead to this head, and the log ends at this number.

    Both hashes are remembered from when they were written, so a chain that fits both is the one that was written.
    """
    previous, expected = start
    try:
        if (connection.execute(_END).fetchone()[0] or 0) != end:
            return False
        if start[0] and any(
            row is None or row[0] != start[1]
            for row in (connection.execute(_AT, (start[0],)).fetchone(), connection.execute(_SIGNED).fetchone())
        ):
            return False
        for row in connection.execute(_TAIL, (previous, head[0])):
            seq, event_id, time, kind, session, actor, action, connector, failure_class, payload, prev_hash, stored = (
                row
            )
            text = (
                f"{prev_hash}\n{seq}\n{event_id}\n{time}\n{kind}\n{session or ABSENT}\n{actor}\n{action or ABSENT}\n"
                f"{connector or ABSENT}\n{failure_class or ABSENT}\n{payload}"
            )
            if (
                seq != previous + 1
                or prev_hash != expected
                or stored != sha256(text.encode()).hexdigest()
                or not NEVER_STORED.isdisjoint((session, action, connector, failure_class))
            ):
                return False
            previous, expected = seq, stored
    except sqlite3.OperationalError as problem:
        if "no such" not in str(problem) and "decode" not in str(problem):
            raise  # the disk, or a lock; that says nothing about what was written
        return False
    except (sqlite3.Error, UnicodeError):
        return False  # the full verification says what is wrong
    return (previous, expected) == head

"""Proves the log whole, or names the place and the kind of the damage.

Every event's hash covers its own columns and the hash before, so an edit breaks one hash, and a row that was put in,
taken out or moved breaks a link. Signed checkpoints fix the chain at intervals: a log that was rewritten as a whole, or
cut off before a checkpoint, does not fit them.

What cannot be seen without a head that was exported earlier and kept elsewhere: events cut off *behind* the last
checkpoint, and events cut off together with the checkpoints that signed them. What whoever can write the file adds at
the end, with right hashes, is taken for an event until it contradicts such a head: hashes need no key. The interval of
the checkpoints, if the caller names it, bounds how much of that can be.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from daemon.audit.damage import Problem, explain
from daemon.audit.events import GENESIS
from daemon.audit.export import ExportedHead
from daemon.audit.signing import key_id_of, signature_holds
from daemon.audit.stored_rows import Unread, read_rows
from daemon.audit.walk import MAX_PIECES, Walk

__all__ = ["Problem", "VerifyReport", "verify"]

_CHECKPOINTS = "SELECT seq, hash, time, key_id, signature FROM audit_checkpoints ORDER BY seq"
_MAX_PROBLEMS = 200


@dataclass(slots=True)
class VerifyReport:
    """What a verification found."""

    events: int = 0
    head_seq: int = 0
    head_hash: str = GENESIS
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Say whether the log is whole."""
        return not self.problems

    def add(self, kind: str, message: str, *, seq: int | None = None, event_id: str | None = None) -> None:
        """Note a piece of damage; past a limit one more says nothing new."""
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(kind=kind, seq=seq, event_id=event_id, message=message))


def verify(
    log: Path | Connection,
    *,
    public_keys: Mapping[str, bytes],
    anchor: ExportedHead | None = None,
    longest_unsigned: int | None = None,
) -> VerifyReport:
    """Check every event, every link, every checkpoint and, if given, an exported head.

    With the longest stretch that this installation leaves unsigned (the interval of its checkpoints, and some room for
    the group that crosses it), checkpoints that were taken away are found, too.
    """
    report = VerifyReport()
    try:
        with _snapshot(log) as connection:
            connection.execute("SELECT 1 FROM audit_events LIMIT 0")
            signed = _read_checkpoints(connection, public_keys, report)
            if longest_unsigned is not None:
                _check_interval(connection, signed, longest_unsigned, report)
            if anchor is not None:
                _check_anchor(anchor, signed, public_keys, report)
            _check_events(connection, signed, report)
            _check_pages(connection, report)
    except (sqlite3.Error, SQLAlchemyError, OSError) as problem:
        place = f"{log} " if isinstance(log, Path) else "The database "
        report.add("unreadable", f"{place}cannot be read as an audit log: {problem}.")
    return report


@contextmanager
def _snapshot(log: Path | Connection) -> Iterator[sqlite3.Connection]:
    """One read transaction, so that a log that grows meanwhile is seen as it was at one moment."""
    if isinstance(log, Connection):
        if not log.in_transaction():
            with log.begin(), _snapshot(log) as connection:
                yield connection
            return
        driver = log.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - narrows a library's Any
        yield driver
        return
    connection = _open_to_read(log)
    try:
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def _open_to_read(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise FileNotFoundError(f"there is no such file as {path}")
    uri = path.resolve().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # A copy in a folder that cannot be written: SQLite wants to put its shared memory there, though nobody writes.
        return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)
    return connection


def _read_checkpoints(
    connection: sqlite3.Connection, public_keys: Mapping[str, bytes], report: VerifyReport
) -> dict[int, str]:
    signed: dict[int, str] = {}
    strangers: dict[str, list[int]] = {}
    connection.text_factory, usual = lambda raw: raw.decode("utf-8", "surrogateescape"), connection.text_factory
    try:
        for seq, digest, time, key_id, signature in connection.execute(_CHECKPOINTS):
            key = public_keys.get(key_id) if isinstance(key_id, str) else None
            if key is None:
                strangers.setdefault(str(key_id), []).append(seq)
            elif _checkpoint_holds(key, seq, digest, time, signature):
                signed[seq] = digest
            else:
                message = f"The checkpoint at event {seq} does not carry a valid signature."
                report.add("bad_checkpoint", message, seq=seq)
    except sqlite3.Error as problem:
        report.add("bad_checkpoint", f"The checkpoints cannot be read: {problem}.")
    finally:
        connection.text_factory = usual
    for key_id, places in strangers.items():
        which = f"The checkpoint at event {places[0]}"
        if len(places) > 1:
            which = f"{len(places)} checkpoints, the first at event {places[0]},"
        report.add("bad_checkpoint", f"{which} cannot be checked: the key {key_id!r} is not known.", seq=places[0])
    return signed


def _checkpoint_holds(key: bytes, seq: Any, digest: Any, time: Any, signature: Any) -> bool:
    if not isinstance(seq, int) or not all(isinstance(part, str) for part in (digest, time, signature)):
        return False
    return signature_holds(key, signature, purpose="checkpoint", seq=seq, head=digest, time=time)


def _check_interval(
    connection: sqlite3.Connection, signed: Mapping[int, str], longest: int, report: VerifyReport
) -> None:
    head = connection.execute("SELECT max(seq) FROM audit_events").fetchone()[0] or 0
    previous = 0
    for seq in [*sorted(seq for seq in signed if seq < head), head]:
        if seq - previous > longest:
            message = (
                f"No signature holds between events {previous} and {seq}; there is one every {longest} events at least."
            )
            report.add("bad_checkpoint", message, seq=previous + 1)
        previous = seq


def _check_anchor(
    anchor: ExportedHead, signed: dict[int, str], public_keys: Mapping[str, bytes], report: VerifyReport
) -> None:
    try:
        public_key = bytes.fromhex(anchor.public_key)
    except ValueError:
        public_key = b""
    known = public_keys.get(anchor.key_id)
    if known is None or known != public_key or key_id_of(public_key) != anchor.key_id:
        report.add("bad_checkpoint", "The given head was signed with a key that is not this installation's.")
        return
    if not signature_holds(
        public_key, anchor.signature, purpose="head", seq=anchor.seq, head=anchor.hash, time=anchor.time
    ):
        report.add("bad_checkpoint", "The signature of the given head does not hold.")
        return
    if anchor.seq:
        # The head was outside the reach of whoever can write the database, so it has the last word.
        signed[anchor.seq] = anchor.hash


def _check_events(connection: sqlite3.Connection, signed: Mapping[int, str], report: VerifyReport) -> None:
    walk = Walk(signed)
    for batch in read_rows(connection):
        if isinstance(batch, Unread):
            walk.skip(batch)
        else:
            walk.take(batch)
            report.head_seq, report.head_hash = batch[-1][0], batch[-1][11]
        if walk.full:
            report.add(
                "modified", f"There is so much damage up to event {report.head_seq} that the search ended there."
            )
            break
    report.events = walk.events
    signed_to = 0 if walk.full else max(signed, default=0)
    for problem in explain(walk.pieces[:MAX_PIECES], signed_to=signed_to):
        report.add(problem.kind, problem.message, seq=problem.seq, event_id=problem.event_id)


def _check_pages(connection: sqlite3.Connection, report: VerifyReport) -> None:
    """Look at the pages that the walk did not touch: those of the indexes, through which events are found."""
    if any(problem.kind == "unreadable" for problem in report.problems):
        return
    try:
        findings = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as problem:
        findings = [str(problem)]
    if findings != ["ok"]:
        report.add("unreadable", f"The database file is damaged: {' '.join(str(findings[0]).split())}.")

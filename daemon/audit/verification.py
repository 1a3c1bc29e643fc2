"""Proves the log whole, or names the place and the kind of the damage.

Every event's hash covers its own columns and the hash before, so an edit breaks one hash, and a row that was put in,
taken out or moved breaks a link. Signed checkpoints fix the chain at intervals: a log that was rewritten as a whole, or
cut off before a checkpoint, does not fit them. What was cut off *behind* the last checkpoint can only be seen with a
head that was exported earlier and kept elsewhere.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from daemon.audit.events import GENESIS, chain_hash
from daemon.audit.export import ExportedHead
from daemon.audit.signing import key_id_of, signature_holds

_ROWS = (
    "SELECT seq, id, time, type, session, actor, action, connector, failure_class, payload, prev_hash, hash"
    " FROM audit_events ORDER BY seq"
)
_CHECKPOINTS = "SELECT seq, hash, time, key_id, signature FROM audit_checkpoints ORDER BY seq"
_BATCH = 2000
_MAX_PROBLEMS = 200
_MAX_SEARCHES = 20
_SEARCHED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One piece of damage."""

    kind: str
    seq: int | None
    event_id: str | None
    message: str


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
    log: Path | Connection, *, public_keys: Mapping[str, bytes], anchor: ExportedHead | None = None
) -> VerifyReport:
    """Check every event, every link, every checkpoint and, if given, an exported head."""
    report = VerifyReport()
    try:
        if isinstance(log, Connection):
            # One read transaction, so that a log that grows meanwhile is seen as it was at one moment.
            driver = log.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - narrows a library's Any
            _verify(driver, report, public_keys=public_keys, anchor=anchor)
        else:
            connection = sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True)
            try:
                connection.execute("BEGIN")
                _verify(connection, report, public_keys=public_keys, anchor=anchor)
            finally:
                connection.close()
    except (sqlite3.Error, SQLAlchemyError) as problem:
        report.add(
            "modified",
            f"The database file itself is damaged behind event {report.head_seq}: {problem}",
            seq=report.head_seq + 1,
        )
    return report


def _verify(
    connection: sqlite3.Connection,
    report: VerifyReport,
    *,
    public_keys: Mapping[str, bytes],
    anchor: ExportedHead | None,
) -> None:
    signed: dict[int, str] = {}
    connection.text_factory, restored = _text, connection.text_factory
    try:
        fixed = list(connection.execute(_CHECKPOINTS))
        for seq, digest, time, key_id, signature in fixed:
            if _checkpoint_holds(public_keys, seq, digest, time, key_id, signature):
                signed[seq] = digest
            else:
                report.add(
                    "bad_checkpoint", f"The checkpoint at event {seq} does not carry a valid signature.", seq=seq
                )
        if anchor is not None:
            _check_anchor(anchor, signed, public_keys, report)
        _walk(_batches(connection), signed, report)
    finally:
        connection.text_factory = restored
    missing = [seq for seq in sorted(signed) if seq > report.head_seq]
    if missing:
        report.add(
            "truncated",
            f"The log ends at event {report.head_seq}, but it was signed up to {missing[-1]}: the end was cut off.",
            seq=report.head_seq + 1,
        )


def _walk(batches: Iterator[list[tuple[Any, ...]]], signed: Mapping[int, str], report: VerifyReport) -> None:
    """Follow the chain; after a break, go on from the hash that is stored, so that one break is one problem."""
    expected = GENESIS
    previous = 0
    hash_of = chain_hash
    for batch in batches:
        for row in batch:
            seq = row[0]
            if row[10] != expected or seq != previous + 1:
                _explain_break(row, expected, previous, report)
            try:
                intact = hash_of(*row[:11]) == row[11]
            except (TypeError, ValueError):
                intact = False
            if not intact:
                _explain_change(row, report)
            elif signed and seq in signed and signed[seq] != row[11]:
                report.add(
                    "spliced",
                    f"Event {seq} ({row[1]}) is not the one that was signed: the log up to here was replaced.",
                    seq=seq,
                    event_id=_name(row[1]),
                )
            previous, expected = seq, row[11]
        report.events += len(batch)
        report.head_seq, report.head_hash = previous, expected


def _explain_change(row: tuple[Any, ...], report: VerifyReport) -> None:
    """Say of a row that does not fit its hash whether it was moved here or changed."""
    seq, event_id = row[0], _name(row[1])
    origin = _origin(row) if len(report.problems) < _MAX_SEARCHES else None
    if origin is None:
        message = f"Event {seq} ({row[1]}, {row[3]}) was changed after it was written."
        report.add("modified", message, seq=seq, event_id=event_id)
    else:
        message = f"Event {seq} ({row[1]}, {row[3]}) was written as event {origin}: the order was changed."
        report.add("reordered", message, seq=seq, event_id=event_id)


def _origin(row: tuple[Any, ...]) -> int | None:
    """Return the number under which a row fits its hash, if it is one nearby."""
    for distance in range(1, _SEARCHED):
        for seq in (row[0] - distance, row[0] + distance):
            try:
                if chain_hash(seq, *row[1:11]) == row[11]:
                    return int(seq)
            except (TypeError, ValueError):
                return None
    return None


def _explain_break(row: tuple[Any, ...], expected: str, previous: int, report: VerifyReport) -> None:
    seq, event_id = row[0], _name(row[1])
    linked = row[10] == expected
    if seq > previous + 1:
        gap = f"event {previous + 1}" if seq == previous + 2 else f"events {previous + 1} to {seq - 1}"
        report.add("deleted", f"In front of event {seq} ({event_id}), {gap} is missing.", seq=previous + 1)
        return
    try:
        intact = chain_hash(*row[:11]) == row[11]
    except (TypeError, ValueError):
        intact = False
    if not intact or linked:
        return  # the row itself was changed; that is reported once, as such
    report.add(
        "spliced",
        f"Event {seq} ({event_id}) does not continue the one before it: it was put in, moved or taken from elsewhere.",
        seq=seq,
        event_id=event_id,
    )


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
        signed[anchor.seq] = anchor.hash


def _checkpoint_holds(
    public_keys: Mapping[str, bytes], seq: Any, digest: Any, time: Any, key_id: Any, signature: Any
) -> bool:
    key = public_keys.get(key_id) if isinstance(key_id, str) else None
    if key is None or not all(isinstance(part, str) for part in (digest, time, signature)):
        return False
    return signature_holds(key, signature, purpose="checkpoint", seq=seq, head=digest, time=time)


def _batches(connection: sqlite3.Connection) -> Iterator[list[tuple[Any, ...]]]:
    cursor = connection.execute(_ROWS)
    while batch := cursor.fetchmany(_BATCH):
        yield batch


def _text(raw: bytes) -> str:
    # A byte that was flipped may leave text that is not UTF-8; it must reach the hash, not stop the walk.
    return raw.decode("utf-8", "surrogateescape")


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isprintable() else None

"""Proves the log whole, or names the place and the kind of the damage.

Every event's hash covers its own columns and the hash before, so an edit breaks one hash, and a row that was put in,
taken out or moved breaks a link. Signed checkpoints fix the chain at intervals: a log that was rewritten as a whole, or
cut off before a checkpoint, does not fit them.

Whoever can write the database cannot make the hash of the last checkpoint, nor of the end of the log, fit what is kept
outside of it. With that given (`Expected`), events that were cut off or added behind the last checkpoint are found, and
checkpoints that were taken away, and a database that was replaced by an older one or by none. Without it they are not,
except with a head that was exported earlier. docs/security.md has the table.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from daemon.audit.checkpoint_checks import CheckpointChecks
from daemon.audit.damage import Problem, explain
from daemon.audit.events import GENESIS
from daemon.audit.expected import Expected
from daemon.audit.export import ExportedHead
from daemon.audit.filing import wrongly_filed
from daemon.audit.notes import Notes, read_notes
from daemon.audit.seal import Place
from daemon.audit.signing import key_id_of, signature_holds
from daemon.audit.stored_rows import Unread, read_rows
from daemon.audit.walk import MAX_PIECES, Walk

__all__ = ["Problem", "VerifyReport", "verify"]

_MAX_PROBLEMS = 200


@dataclass(slots=True)
class VerifyReport:
    """What a verification found."""

    events: int = 0
    head_seq: int = 0
    head_hash: str = GENESIS
    problems: list[Problem] = field(default_factory=list)
    resumed: int = 0
    """The event with which a person went on with a damaged log; what was damaged before it is known."""
    unvouched: list[tuple[int, int]] = field(default_factory=list)
    """Stretches that were found after a power loss, and that nobody vouches for."""
    anchor_holds: bool = True
    """Whether the given head, if there was one, is one of ours."""

    @property
    def ok(self) -> bool:
        """Say whether the log is whole."""
        return not self.problems

    @property
    def places(self) -> set[tuple[str, int | None]]:
        """Return the kind and the event of every piece of damage."""
        return {(problem.kind, problem.seq) for problem in self.problems}

    @property
    def news(self) -> list[Problem]:
        """Return the damage that no person has gone on with knowingly."""
        return [each for each in self.problems if not each.known]

    def add(self, kind: str, message: str, *, seq: int | None = None, event_id: str | None = None) -> None:
        """Note a piece of damage; past a limit one more says nothing new."""
        if len(self.problems) < _MAX_PROBLEMS:
            known = bool(self.resumed) and seq is not None and seq <= self.resumed
            self.problems.append(Problem(kind=kind, seq=seq, event_id=event_id, message=message, known=known))


def verify(
    log: Path | Connection | sqlite3.Connection,
    *,
    public_keys: Mapping[str, bytes],
    anchors: Sequence[ExportedHead] = (),
    expected: Expected | None = None,
    start: Place = (0, GENESIS),
    begun: bool = False,
    pages: bool = True,
) -> VerifyReport:
    """Check every event, every link, every checkpoint and, if given, exported heads and what is expected.

    With a start, only what lies behind that event is read; the event must be one that is vouched for, and be in the
    log, unless this is a part of one that has `begun` behind it. `pages` says whether to look also at the pages of the
    file that no event lies on, which takes as long as the file is.
    """
    report = VerifyReport(resumed=0 if expected is None else expected.resumed)
    try:
        with _snapshot(log) as connection:
            connection.execute("SELECT 1 FROM audit_events LIMIT 0")
            checks = CheckpointChecks(connection, public_keys, since=start[0])
            signed = {one.seq: one.hash for one in checks.valid}
            signed.update({} if expected is None else expected.places)
            for anchor in anchors:
                _check_anchor(anchor, signed, public_keys, report)
            if not begun:
                _check_start(connection, start, report)
            _check_events(connection, signed, start, report)
            if expected is not None:
                _check_end(expected, checks, report)
            for problem in checks.problems:
                report.add(problem.kind, problem.message, seq=problem.seq)
            _take_notes(read_notes(connection, checks.valid), report)
            if pages:
                _check_pages(connection, report)
                _check_filing(connection, report)
    except (sqlite3.Error, SQLAlchemyError, OSError) as problem:
        place = f"{log} " if isinstance(log, Path) else "The database "
        report.add("unreadable", f"{place}cannot be read as an audit log: {problem}.")
    report.problems.sort(key=lambda problem: problem.seq or 0)
    return report


@contextmanager
def _snapshot(log: Path | Connection | sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One read transaction, so that a log that grows meanwhile is seen as it was at one moment."""
    if isinstance(log, sqlite3.Connection):
        yield log  # a scratch database that nobody else knows
        return
    if isinstance(log, Connection):
        if not log.in_transaction():
            with log.begin(), _snapshot(log) as connection:
                yield connection
            return
        yield driver_of(log)
        return
    connection = _open_to_read(log)
    try:
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection, which reads a row several times as fast."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - narrows a library's Any
    return driver


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


def _check_start(connection: sqlite3.Connection, start: Place, report: VerifyReport) -> None:
    if start[0]:
        row = connection.execute("SELECT hash FROM audit_events WHERE seq = ?", (start[0],)).fetchone()
        if row is None or row[0] != start[1]:
            what = "missing" if row is None else "not the one that was signed"
            report.add("spliced", f"Event {start[0]} is {what}: the log was replaced.", seq=start[0])


def _check_end(expected: Expected, checks: CheckpointChecks, report: VerifyReport) -> None:
    end = report.head_seq
    checks.expect(expected, end=end)
    if expected.end is not None and end > expected.end:
        which = f"Event {end} was" if end == expected.end + 1 else f"Events {expected.end + 1} to {end} were"
        report.add("inserted", f"{which} put in behind the end of the log.", seq=expected.end + 1)


def _take_notes(notes: Notes, report: VerifyReport) -> None:
    report.unvouched.extend(notes.unvouched)
    for seq, message in notes.resumed:
        report.add("resumed", message, seq=seq)
    for problem in notes.found:
        if (problem.kind, problem.seq) not in report.places:
            report.problems.append(problem)


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
        report.anchor_holds = False
        return
    if not signature_holds(
        public_key, anchor.signature, purpose="head", seq=anchor.seq, head=anchor.hash, time=anchor.time
    ):
        report.add("bad_checkpoint", "The signature of the given head does not hold.")
        report.anchor_holds = False
        return
    if anchor.seq:
        # Whoever can write the database cannot reach the exported head, so the head decides.
        signed[anchor.seq] = anchor.hash


def _check_events(
    connection: sqlite3.Connection, signed: Mapping[int, str], start: Place, report: VerifyReport
) -> None:
    walk = Walk(signed, start=start)
    report.head_seq, report.head_hash = start
    for batch in read_rows(connection, after=start[0] or None):
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


def _check_filing(connection: sqlite3.Connection, report: VerifyReport) -> None:
    """Look whether filters find every event by what it says; where the events are damaged, that comes of it."""
    seq = None if report.news else wrongly_filed(connection)
    if seq is not None:
        report.add("misfiled", f"Filters find event {seq} by something else than it says, or not at all.", seq=seq)

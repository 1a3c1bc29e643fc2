"""One group of appends as one transaction: effects, rows, checkpoint; and what is known of the end of the chain."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError, SQLAlchemyError

from daemon.audit.events import GENESIS, AuditEvent, Recorded, chain_hash
from daemon.audit.signing import CheckpointSigner
from daemon.core.clock import Clock, rfc3339
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.faults import FaultPoints
from daemon.db.statements import HotStatement
from daemon.db.tables import audit_checkpoints, audit_events

T = TypeVar("T")
_INSERT = HotStatement(insert(audit_events), [column.name for column in audit_events.columns])
_ASKED_AT_ONCE = 500

# What the database says about a statement, not about itself: the fault of an effect, not of the disk.
_OF_THE_STATEMENT = (IntegrityError, ProgrammingError, DataError, NotSupportedError)


@dataclass(frozen=True, slots=True)
class Appended(Generic[T]):
    """What an append has put on disk."""

    records: tuple[Recorded, ...]
    value: T


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event with its id and its canonical payload, not yet linked into the chain."""

    event: AuditEvent
    id: str
    payload: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What one caller wants in the log, all of it or nothing."""

    events: tuple[Prepared, ...] = ()
    effect: Callable[[Connection], Any] | None = None
    checkpoint: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends, and the last event that was signed."""

    seq: int
    hash: str
    checkpoint: int


class _Refused(Exception):
    """Some entries must not be part of the transaction; why, by their place in the group."""

    def __init__(self, reasons: Mapping[int, Exception]) -> None:
        super().__init__()
        self.reasons = reasons


class GroupCommit:
    """Commits groups over a connection of its own; used by one thread."""

    def __init__(
        self, *, engine: Engine, clock: Clock, signer: CheckpointSigner, checkpoint_every: int, faults: FaultPoints
    ) -> None:
        self._engine = engine.execution_options(aileron_writes=True)
        self._clock = clock
        self._signer = signer
        self._checkpoint_every = checkpoint_every
        self._faults = faults
        self._connection: Connection | None = None
        self.reason: str | None = None
        try:
            self.head = self._read_head()
        except SQLAlchemyError as problem:
            raise unavailable(_words(problem)) from problem

    def commit(self, group: Sequence[Entry]) -> list[Appended[Any] | Exception]:
        """Write a group in one transaction; return for each entry its answer or its exception."""
        refused: dict[int, Exception] = {}
        while True:
            try:
                answers, head = self._transact(group, refused)
            except _Refused as refusal:
                # Rare, so the others pay nothing for it beforehand: the transaction is undone, and made again
                # without the ones that refused.
                refused.update(refusal.reasons)
            except Exception as problem:  # noqa: BLE001 - whatever it is, the callers must hear of it and the thread live on
                # After a commit that failed nobody knows whether it did: the next try reads the head from the file.
                self.disconnect()
                self.reason = _words(problem)
                return [refused.get(place) or unavailable(self.reason) for place in range(len(group))]
            else:
                self.head, self.reason = head, None
                return answers

    def probe(self) -> None:
        """Find out, by a write that changes nothing, whether a log that could not be written can be again."""
        head = self.head
        newest = audit_checkpoints.c.seq == head.checkpoint
        same = update(audit_checkpoints).where(newest).values(seq=audit_checkpoints.c.seq)
        if head.seq:
            self.commit([Entry(effect=lambda connection: connection.execute(same), checkpoint=True)])

    def disconnect(self) -> None:
        """Let go of the connection; the next commit opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):  # it may be what just failed
                connection.invalidate()
            with contextlib.suppress(SQLAlchemyError):
                connection.close()

    def _transact(
        self, group: Sequence[Entry], refused: Mapping[int, Exception]
    ) -> tuple[list[Appended[Any] | Exception], Head]:
        if self._connection is None:
            self.head = self._read_head()
            self._connection = self._engine.connect()
        connection = self._connection
        with connection.begin():
            values, refused = _run_effects(connection, group, refused)
            answers, rows, head = self._link(group, values, refused)
            self._faults.hit("audit.before_insert")
            if rows:
                self._store(connection, group, rows)
            head = self._sign(connection, head, force=any(entry.checkpoint for entry in group))
            self._faults.hit("audit.before_commit")
        self._faults.hit("audit.after_commit")
        return answers, head

    def _link(
        self, group: Sequence[Entry], values: Sequence[Any], refused: Mapping[int, Exception]
    ) -> tuple[list[Appended[Any] | Exception], list[tuple[Any, ...]], Head]:
        answers: list[Appended[Any] | Exception] = []
        rows: list[tuple[Any, ...]] = []
        now = rfc3339(self._clock.now_ms())
        seq, digest = self.head.seq, self.head.hash
        for place, entry in enumerate(group):
            if place in refused:
                answers.append(refused[place])
                continue
            records = []
            for prepared in entry.events:
                event = prepared.event
                seq += 1
                fields = (
                    seq,
                    prepared.id,
                    now,
                    event.type,
                    event.session,
                    event.actor,
                    event.action,
                    event.connector,
                    event.failure_class,
                    prepared.payload,
                    digest,
                )
                digest = chain_hash(*fields)
                rows.append((*fields, digest))
                records.append(Recorded(seq=seq, id=prepared.id, time=now, hash=digest))
            answers.append(Appended(tuple(records), values[place]))
        return answers, rows, Head(seq, digest, self.head.checkpoint)

    def _store(self, connection: Connection, group: Sequence[Entry], rows: list[tuple[Any, ...]]) -> None:
        try:
            _INSERT.run_rows(connection, rows)
        except IntegrityError:
            doubles = _doubles(connection, group, {row[1] for row in rows}, before=rows[0][0])
            if not doubles:
                raise  # someone else has written: the head must be read again
            raise _Refused(doubles) from None

    def _sign(self, connection: Connection, head: Head, *, force: bool) -> Head:
        since = head.seq - head.checkpoint
        if since <= 0 or (since < self._checkpoint_every and not force):
            return head
        now = rfc3339(self._clock.now_ms())
        connection.execute(
            insert(audit_checkpoints).values(
                seq=head.seq,
                hash=head.hash,
                time=now,
                key_id=self._signer.key_id,
                signature=self._signer.sign(purpose="checkpoint", seq=head.seq, head=head.hash, time=now),
            )
        )
        return Head(head.seq, head.hash, head.seq)

    def _read_head(self) -> Head:
        with self._engine.connect() as connection:
            newest = select(audit_events.c.seq, audit_events.c.hash).order_by(audit_events.c.seq.desc()).limit(1)
            row = connection.execute(newest).one_or_none()
            signed = connection.execute(select(func.max(audit_checkpoints.c.seq))).scalar_one() or 0
            return Head(0, GENESIS, signed) if row is None else Head(row.seq, row.hash, signed)


def _run_effects(
    connection: Connection, group: Sequence[Entry], refused: Mapping[int, Exception]
) -> tuple[list[Any], Mapping[int, Exception]]:
    # Savepoints are not free, so the first try goes without. Once one entry has refused, others may as well (a hundred
    # callers asking for what only one can have): then each effect gets one, and there is no third try.
    guarded = bool(refused)
    found = dict(refused)
    values: list[Any] = []
    for place, entry in enumerate(group):
        value = None
        if entry.effect is not None and place not in found:
            try:
                with connection.begin_nested() if guarded else contextlib.nullcontext():
                    value = entry.effect(connection)
            except Exception as reason:
                if isinstance(reason, DBAPIError) and not isinstance(reason, _OF_THE_STATEMENT):
                    raise
                if not guarded:
                    raise _Refused({place: reason}) from reason
                found[place] = reason
        values.append(value)
    return values, found


def _doubles(connection: Connection, group: Sequence[Entry], offered: set[str], *, before: int) -> dict[int, Exception]:
    """Return the entries with an id that is in the log already, or earlier in the same group."""
    ids = sorted(offered)
    taken: set[str] = set()
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        # Some rows of the group went in before the double was met; only older ones count.
        asked = audit_events.c.id.in_(ids[start : start + _ASKED_AT_ONCE]) & (audit_events.c.seq < before)
        taken.update(connection.execute(select(audit_events.c.id).where(asked)).scalars())
    doubles: dict[int, Exception] = {}
    for place, entry in enumerate(group):
        mine = Counter(prepared.id for prepared in entry.events)
        repeated = next((name for name, count in mine.items() if count > 1 or name in taken), None)
        if repeated is not None:
            doubles[place] = ValueError(f"there is an event {repeated} in the audit log already")
        else:
            taken.update(mine)
    return doubles


def unavailable(reason: str) -> Failure:
    """Return what a caller is told when nothing could be recorded."""
    return Failure(
        FailureClass.AUDIT_UNAVAILABLE,
        f"The audit log cannot be written ({reason}), so nothing was run.",
        boundary=Boundary.RUNTIME,
        retriable=True,
    )


def _words(problem: BaseException) -> str:
    original = getattr(problem, "orig", None) or problem
    return " ".join(str(original).split()) or type(original).__name__

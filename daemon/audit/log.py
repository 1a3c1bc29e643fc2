"""The log's one writer: a thread that commits what has gathered, in one transaction with one fsync."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from daemon.audit.events import GENESIS, AuditEvent, Recorded, chain_hash, checked_field
from daemon.audit.signing import CheckpointSigner
from daemon.core.canonical import CanonicalError, canonical_json
from daemon.core.clock import Clock, IdSource, rfc3339
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.faults import NO_FAULTS, FaultPoints
from daemon.core.ids import IdPrefix
from daemon.db.tables import audit_checkpoints, audit_events

T = TypeVar("T")
_GROUP = 256
_COLUMNS = [column.name for column in audit_events.columns]


@dataclass(frozen=True, slots=True)
class Appended(Generic[T]):
    """What an append has put on disk."""

    records: tuple[Recorded, ...]
    value: T


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """Whether the log can be written, and how far it has got."""

    available: bool
    reason: str | None
    head_seq: int
    head_hash: str
    checkpoint_seq: int


@dataclass(frozen=True, slots=True)
class _Prepared:
    event: AuditEvent
    id: str
    payload: str


@dataclass(frozen=True, slots=True)
class _Job:
    events: tuple[_Prepared, ...]
    effect: Callable[[Connection], Any] | None
    done: "asyncio.Future[Appended[Any]]"
    loop: asyncio.AbstractEventLoop
    checkpoint: bool = False


class _Refused(Exception):
    """An effect said no; its job must not be part of the transaction."""

    def __init__(self, place: int, reason: Exception) -> None:
        self.place = place
        self.reason = reason


class _Head:
    """Where the chain ends, as the writer knows it."""

    def __init__(self, seq: int, digest: str, checkpoint: int) -> None:
        self.seq = seq
        self.hash = digest
        self.checkpoint = checkpoint

    def copy(self) -> "_Head":
        return _Head(self.seq, self.hash, self.checkpoint)


class AuditLog:
    """Appends events, durable when append returns; whoever changes state passes the change along as an effect."""

    def __init__(
        self,
        *,
        engine: Engine,
        clock: Clock,
        ids: IdSource,
        signer: CheckpointSigner,
        checkpoint_every: int,
        faults: FaultPoints,
    ) -> None:
        self._engine = engine.execution_options(aileron_writes=True)
        self._clock = clock
        self._ids = ids
        self._signer = signer
        self._checkpoint_every = checkpoint_every
        self._faults = faults
        self._insert = str(insert(audit_events).compile(engine, column_keys=_COLUMNS))
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._reason: str | None = None
        self._connection: Connection | None = None
        self._head = self._read_head()
        self._writer = threading.Thread(target=self._work, name="audit-writer", daemon=True)
        self._writer.start()

    @classmethod
    def open(
        cls,
        *,
        engine: Engine,
        clock: Clock,
        ids: IdSource,
        signer: CheckpointSigner,
        checkpoint_every: int = 1000,
        faults: FaultPoints = NO_FAULTS,
    ) -> "AuditLog":
        """Start the writer at the end of the log."""
        return cls(engine=engine, clock=clock, ids=ids, signer=signer, checkpoint_every=checkpoint_every, faults=faults)

    @overload
    async def append(self, *events: AuditEvent, effect: None = None) -> Appended[None]: ...
    @overload
    async def append(self, *events: AuditEvent, effect: Callable[[Connection], T]) -> Appended[T]: ...
    async def append(self, *events: AuditEvent, effect: Callable[[Connection], Any] | None = None) -> Appended[Any]:
        """Write events down, together with a change of state; both are on disk when this returns, or neither is.

        The effect runs first, in the same transaction. If it raises, nothing of this call is recorded and the
        exception is the caller's; others who share the commit do not notice. An effect may be run again, when the
        transaction it was part of had to be undone, so it changes nothing but the database.
        """
        return await asyncio.shield(self._submit(events, effect))

    def status(self) -> AuditStatus:
        """Say whether the log can be written."""
        head = self._head
        return AuditStatus(
            available=self._reason is None and not self._closed,
            reason="the log is closed" if self._closed else self._reason,
            head_seq=head.seq,
            head_hash=head.hash,
            checkpoint_seq=head.checkpoint,
        )

    async def checkpoint(self) -> None:
        """Sign the head as it is now."""
        await asyncio.shield(self._submit((), None, checkpoint=True))

    async def close(self) -> None:
        """Write what is waiting, sign the head, and end the writer."""
        if self._closed:
            return
        with contextlib.suppress(Failure):  # a log that cannot be written keeps its last checkpoint
            await self.checkpoint()
        self._closed = True
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join)

    def _submit(
        self, events: Sequence[AuditEvent], effect: Callable[[Connection], T] | None, *, checkpoint: bool = False
    ) -> "asyncio.Future[Appended[T]]":
        if self._closed:
            raise _unavailable("the log is closed, because the daemon is stopping")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Appended[T]] = loop.create_future()
        prepared = tuple(self._prepare(event) for event in events)
        self._jobs.put(_Job(prepared, effect, done, loop, checkpoint))
        return done

    def _prepare(self, event: AuditEvent) -> _Prepared:
        checked_field(event.type, name="type")
        checked_field(event.actor, name="actor")
        checked_field(event.session, name="session")
        checked_field(event.action, name="action")
        checked_field(event.connector, name="connector")
        checked_field(event.failure_class, name="failure class")
        try:
            payload = canonical_json(event.payload)
        except CanonicalError as problem:
            raise ValueError(f"the payload of {event.type} is not JSON: {problem}") from problem
        return _Prepared(event, event.id or self._ids.new(IdPrefix.AUDIT), payload)

    def _work(self) -> None:
        stopping = False
        while not stopping:
            job = self._jobs.get()
            group: list[_Job] = []
            while job is not None:
                group.append(job)
                if len(group) >= _GROUP:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            stopping = job is None
            if group:
                self._deliver(group, self._commit(group))
        self._disconnect()

    def _commit(self, group: list[_Job]) -> list[Any]:
        """Write a group in one transaction; return for each job its answer or its exception."""
        refused: dict[int, Exception] = {}
        while True:
            try:
                return self._try_commit(group, refused)
            except _Refused as refusal:
                # Rare, so the others pay nothing for it beforehand: the transaction is undone, and made again
                # without the one that refused.
                refused[refusal.place] = refusal.reason

    def _try_commit(self, group: list[_Job], refused: Mapping[int, Exception]) -> list[Any]:
        try:
            connection = self._connect()
            head = self._head.copy()
            with connection.begin():
                answers, rows = self._apply(connection, group, head, refused)
                self._faults.hit("audit.before_insert")
                if rows:
                    connection.exec_driver_sql(self._insert, rows)
                self._sign(connection, head, force=any(job.checkpoint for job in group))
                self._faults.hit("audit.before_commit")
            self._faults.hit("audit.after_commit")
        except (SQLAlchemyError, OSError, MemoryError) as problem:
            self._disconnect()
            self._reason = _words(problem)
            failure = _unavailable(self._reason)
            return [Failure.from_envelope(failure.envelope()) for _ in group]
        self._head = head
        self._reason = None
        return answers

    def _apply(
        self, connection: Connection, group: list[_Job], head: _Head, refused: Mapping[int, Exception]
    ) -> tuple[list[Any], list[tuple[Any, ...]]]:
        answers: list[Any] = []
        rows: list[tuple[Any, ...]] = []
        now = rfc3339(self._clock.now_ms())
        for place, job in enumerate(group):
            if place in refused:
                answers.append(refused[place])
                continue
            value = None
            if job.effect is not None:
                try:
                    value = job.effect(connection)
                except SQLAlchemyError:
                    raise
                except Exception as reason:
                    raise _Refused(place, reason) from reason
            records = []
            for prepared in job.events:
                row = self._row(prepared, head, now)
                rows.append(row)
                records.append(Recorded(seq=row[0], id=row[1], time=now, hash=row[-1]))
            answers.append(Appended(tuple(records), value))
        return answers, rows

    @staticmethod
    def _row(prepared: _Prepared, head: _Head, now: str) -> tuple[Any, ...]:
        event = prepared.event
        fields = (
            head.seq + 1,
            prepared.id,
            now,
            event.type,
            event.session,
            event.actor,
            event.action,
            event.connector,
            event.failure_class,
            prepared.payload,
            head.hash,
        )
        head.seq += 1
        head.hash = chain_hash(*fields)
        return (*fields, head.hash)

    def _sign(self, connection: Connection, head: _Head, *, force: bool) -> None:
        since = head.seq - head.checkpoint
        if since == 0 or (since < self._checkpoint_every and not force):
            return
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
        head.checkpoint = head.seq

    def _connect(self) -> Connection:
        if self._connection is None:
            # After a commit that failed nobody knows whether it did: what counts is what is in the file.
            self._head = self._read_head()
            self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):  # the next try opens another one
                connection.invalidate()
                connection.close()

    def _read_head(self) -> _Head:
        with self._engine.connect() as connection:
            newest = select(audit_events.c.seq, audit_events.c.hash).order_by(audit_events.c.seq.desc()).limit(1)
            row = connection.execute(newest).one_or_none()
            signed = connection.execute(select(func.max(audit_checkpoints.c.seq))).scalar_one() or 0
            return _Head(0, GENESIS, 0) if row is None else _Head(row.seq, row.hash, signed)

    @staticmethod
    def _deliver(group: list[_Job], answers: list[Any]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
        for job, answer in zip(group, answers, strict=True):
            by_loop.setdefault(job.loop, []).append((job.done, answer))
        for loop, settled in by_loop.items():
            try:
                loop.call_soon_threadsafe(_settle, settled)
            except RuntimeError:
                continue  # the loop is closed; what is on disk is on disk


def _settle(settled: "list[tuple[asyncio.Future[Any], Any]]") -> None:
    for done, answer in settled:
        if done.done():
            continue
        if isinstance(answer, BaseException):
            done.set_exception(answer)
        else:
            done.set_result(answer)


def _unavailable(reason: str) -> Failure:
    return Failure(
        FailureClass.AUDIT_UNAVAILABLE,
        f"The audit log cannot be written ({reason}), so nothing was run.",
        boundary=Boundary.RUNTIME,
        retriable=True,
    )


def _words(problem: BaseException) -> str:
    original = getattr(problem, "orig", None) or problem
    return " ".join(str(original).split()) or type(original).__name__

"""The log's one writer: a thread that commits what has gathered, in one transaction with one fsync."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

from sqlalchemy import Connection, Engine

from daemon.audit.budget import LogBudget
from daemon.audit.commit import Appended, Entry, GroupCommit, Prepared, unavailable
from daemon.audit.events import AuditEvent, checked_field
from daemon.audit.large import MAX_PAYLOAD, LargeValues
from daemon.audit.signing import CheckpointSigner
from daemon.core.canonical import CanonicalError, canonical_json
from daemon.core.clock import Clock, IdSource
from daemon.core.faults import NO_FAULTS, FaultPoints
from daemon.core.ids import IdPrefix

__all__ = ["Appended", "AuditLog", "AuditStatus"]

T = TypeVar("T")
_GROUP = 256
_PROBE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """Whether the log can be written, and how far it has got."""

    available: bool
    reason: str | None
    head_seq: int
    head_hash: str
    checkpoint_seq: int


@dataclass(slots=True, eq=False)
class _Job:
    """A caller who waits. If it is cancelled its future is, and nobody tells it the answer; the entry stands."""

    entry: Entry
    done: "asyncio.Future[Appended[Any]]"
    loop: asyncio.AbstractEventLoop
    last: bool = False


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
        budget: LogBudget | None,
        large: LargeValues | None,
    ) -> None:
        self._ids = ids
        self._budget = budget
        self._large = large
        self._commits = GroupCommit(
            engine=engine, clock=clock, signer=signer, checkpoint_every=checkpoint_every, faults=faults
        )
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._closing: asyncio.Future[Appended[None]] | None = None
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
        budget: LogBudget | None = None,
        large: LargeValues | None = None,
    ) -> "AuditLog":
        """Start the writer at the end of the log."""
        return cls(
            engine=engine,
            clock=clock,
            ids=ids,
            signer=signer,
            checkpoint_every=checkpoint_every,
            faults=faults,
            budget=budget,
            large=large,
        )

    @overload
    async def append(self, *events: AuditEvent, effect: None = None) -> Appended[None]: ...
    @overload
    async def append(self, *events: AuditEvent, effect: Callable[[Connection], T]) -> Appended[T]: ...
    async def append(self, *events: AuditEvent, effect: Callable[[Connection], Any] | None = None) -> Appended[Any]:
        """Write events down, together with a change of state; both are on disk when this returns, or neither is.

        The effect runs first, in the same transaction. If it raises, nothing of this call is recorded and the
        exception is the caller's; others who share the commit do not notice. An effect may be run again, when the
        transaction it was part of had to be undone, so it changes nothing but the database. A caller who is cancelled
        stops waiting; what it asked for is written all the same.
        """
        prepared = tuple(map(self._prepare, events))
        if self._budget is not None:
            for each in prepared:
                self._budget.charge(each.event.session, len(each.payload))
        if self._large is not None and any(len(each.payload) > MAX_PAYLOAD for each in prepared):
            prepared = await self._slimmed(self._large, prepared)
        return await self._submit(Entry(prepared, effect))

    def status(self) -> AuditStatus:
        """Say whether the log can be written."""
        closed = self._closing is not None
        head, reason = self._commits.head, "the log is closed" if closed else self._commits.reason
        return AuditStatus(
            available=reason is None,
            reason=reason,
            head_seq=head.seq,
            head_hash=head.hash,
            checkpoint_seq=head.checkpoint,
        )

    async def checkpoint(self) -> None:
        """Sign the head as it is now."""
        await self._submit(Entry(checkpoint=True))

    async def close(self) -> None:
        """Write what is waiting, sign the head, and end the writer."""
        if self._closing is None:
            self._closing = self._submit(Entry(checkpoint=True), last=True)
        # A log that cannot be written keeps its last checkpoint; closing is no reason to complain again.
        await asyncio.wait([self._closing])
        self._closing.exception()
        self._writer.join()

    def _submit(self, entry: Entry, *, last: bool = False) -> "asyncio.Future[Appended[Any]]":
        if self._closing is not None:
            raise unavailable("the log is closed, because the daemon is stopping")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Appended[Any]] = loop.create_future()
        self._jobs.put(_Job(entry, done, loop, last))
        return done

    async def _slimmed(self, large: LargeValues, prepared: Sequence[Prepared]) -> tuple[Prepared, ...]:
        """Move large values into files; what more must be said of that comes behind the events that were given."""
        events: list[Prepared] = []
        further: list[Prepared] = []
        for each in prepared:
            if len(each.payload) <= MAX_PAYLOAD:
                events.append(each)
                continue
            try:
                slim, *told = await large.moved(replace(each.event, id=each.id))
            except OSError as problem:
                raise unavailable(problem.strerror or type(problem).__name__) from problem
            events.append(self._prepare(slim))
            further += map(self._prepare, told)
        return (*events, *further)

    def _prepare(self, event: AuditEvent) -> Prepared:
        checked_field(event.type, name="type")
        checked_field(event.actor, name="actor")
        checked_field(event.session, name="session")
        checked_field(event.action, name="action")
        checked_field(event.connector, name="connector")
        checked_field(event.failure_class, name="failure class")
        checked_field(event.id, name="id")
        try:
            payload = canonical_json(event.payload)
        except CanonicalError as problem:
            raise ValueError(f"the payload of {event.type} is not JSON: {problem}") from problem
        return Prepared(event, event.id or self._ids.new(IdPrefix.AUDIT), payload)

    def _work(self) -> None:
        stopping = False
        while not stopping:
            group = self._gather()
            if not group:
                self._commits.probe()
                continue
            stopping = group[-1].last
            answers = self._commits.commit([job.entry for job in group])
            if stopping:
                self._commits.disconnect()
            _deliver(group, answers)

    def _gather(self) -> list[_Job]:
        """Wait for work, and take what has piled up behind it; come back without any to look after a failed disk."""
        group: list[_Job] = []
        wait = _PROBE_SECONDS if self._commits.reason else None
        try:
            group.append(self._jobs.get(timeout=wait))
            while len(group) < _GROUP and not group[-1].last:
                group.append(self._jobs.get_nowait())
        except queue.Empty:
            pass
        return group


def _deliver(group: Sequence[_Job], answers: Sequence[Any]) -> None:
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

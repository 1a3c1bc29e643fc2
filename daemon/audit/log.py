"""The log's one writer: a thread that commits what has gathered, in one transaction with one fsync.

It signs the head at every so many events, and a while after an event that is not signed yet.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from sqlalchemy import Connection, Engine

from daemon.audit.at_rest import AtRest
from daemon.audit.budget import LogBudget
from daemon.audit.checkpoint import CheckpointKind
from daemon.audit.commit import GroupCommit
from daemon.audit.damage import Problem, is_of_the_disk
from daemon.audit.delivery import Answers, AnswersByLoop, Inbox, deliver
from daemon.audit.entries import Appended, Effect, Entry, Prepared
from daemon.audit.events import AuditEvent, Recorded, check_text, checked_names
from daemon.audit.export import ExportedHead, export_head
from daemon.audit.gathering import Gathering
from daemon.audit.large import MAX_PAYLOAD, LargeValues
from daemon.audit.notes import RECOVERED, RESUMED
from daemon.audit.refusals import damaged, in_short, not_damaged, unavailable
from daemon.audit.signing import CheckpointSigner
from daemon.audit.verification import VerifyReport, verify
from daemon.base.clock import Clock, IdSource
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.canonical import CanonicalError, canonical_json
from daemon.core.failures import Failure
from daemon.core.ids import IdPrefix
from daemon.core.named_errors import in_words
from daemon.core.principal import DAEMON, MEANS_KEY, Principal
from daemon.core.vocabulary import Attr

__all__ = ["Appended", "AuditLog", "AuditStatus"]

T = TypeVar("T")
_GROUP = 256
_PROBE_SECONDS = 2.0
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """Whether the log can be written, and how far it has got."""

    available: bool
    reason: str | None
    head_seq: int
    head_hash: str
    checkpoint_seq: int
    damage: tuple[Problem, ...] = ()
    """What is wrong with a damaged log; nothing is written to it until a person goes on with it."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Job(Entry):
    """An entry and who waits for it. If the caller is cancelled, nobody is told the answer; the entry stands."""

    done: "asyncio.Future[Appended[Any]]"
    answers: Answers
    last: bool = False
    resumes: Prepared | None = None
    """The event with which a person goes on with a damaged log."""
    between: Callable[["AtRest"], Any] | None = None
    """What is done before the next commit, once all is signed."""


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
        checkpoint_seconds: float,
        faults: FaultPoints,
        boot: str,
        budget: LogBudget | None,
        large: LargeValues | None,
    ) -> None:
        self._ids = ids
        self._budget = budget
        self._large = large
        self._clock = clock
        self._signer = signer
        self._seconds = checkpoint_seconds
        self._sign_at: float | None = None
        """When the end is signed that is not signed yet, by the steady clock."""
        self._signed_to = 0
        self._when_resumed: list[Callable[[], Awaitable[None]]] = []
        self._commits = GroupCommit(
            engine=engine, clock=clock, signer=signer, checkpoint_every=checkpoint_every, faults=faults, boot=boot
        )
        if not self._commits.damage:
            self._commits.begin(self._recovered())
        self._jobs: Inbox[_Job] = Inbox()
        self._gathering: Gathering[_Job] = Gathering(self._jobs.put, now=clock.monotonic)
        self._answers = AnswersByLoop(told=self._gathering.answered)
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
        checkpoint_seconds: float = 60.0,
        faults: FaultPoints = NO_FAULTS,
        boot: str = "",
        budget: LogBudget | None = None,
        large: LargeValues | None = None,
    ) -> "AuditLog":
        """Start the writer at the end of the log, after that was compared with what is kept outside the database.

        A damaged log is opened all the same: it takes no event, and `status` says why. `boot` names this run of the
        machine; what was written in another one may have been lost with the power.
        """
        return cls(
            engine=engine,
            clock=clock,
            ids=ids,
            signer=signer,
            checkpoint_every=checkpoint_every,
            checkpoint_seconds=checkpoint_seconds,
            faults=faults,
            boot=boot,
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
        large = False
        for each in prepared:
            size = len(each.payload)
            large = large or size > MAX_PAYLOAD
            if self._budget is not None:
                self._budget.charge(each.event.session, size)
        if large and self._large is not None:
            prepared = await self._slimmed(self._large, prepared)
        return await self._submit(prepared, effect)

    def status(self) -> AuditStatus:
        """Say whether the log can be written."""
        commits = self._commits
        head, reason, damage = commits.head, commits.reason, commits.damage
        if damage:
            reason = f"it is damaged: {in_short(damage)}"
        if self._closing is not None:
            reason = "the log is closed"
        return AuditStatus(
            available=reason is None,
            reason=reason,
            head_seq=head.seq,
            head_hash=head.hash,
            checkpoint_seq=head.checkpoint,
            damage=damage,
        )

    def head(self) -> ExportedHead:
        """Sign the head, to be kept elsewhere; a log that is damaged is not signed: Failure."""
        if self._commits.damage:
            raise damaged(self._commits.damage)
        return export_head(self._commits.head, signer=self._signer)

    def public_keys(self) -> dict[str, bytes]:
        """Return the keys whose signatures count, by their id; whoever verifies an export needs them."""
        return self._signer.public_keys()

    def verify(self, connection: Connection, *, anchor: ExportedHead | None = None) -> VerifyReport:
        """Check the whole log as this connection sees it, against what the writer knows; for a thread of a reader.

        Damage that is found here stops the log like damage that the writer meets itself.
        """
        guard = self._commits.guard
        anchors = () if anchor is None else (anchor,)
        report = verify(connection, public_keys=self.public_keys(), anchors=anchors, expected=guard.expected())
        furthest = guard.furthest()
        if not guard.damage and report.head_seq > furthest:
            report.add("inserted", f"What comes behind event {furthest} was not written by us.", seq=furthest + 1)
        standing = [each for each in guard.damage if (each.kind, each.seq) not in report.places]
        report.problems[:0] = standing
        if report.anchor_holds and not is_of_the_disk(report.news):
            guard.note(tuple(report.news))
        return report

    async def checkpoint(self) -> None:
        """Sign the head as it is now."""
        await self._submit(checkpoint=CheckpointKind.REGULAR)

    async def at_rest(self, work: Callable[[AtRest], T]) -> T:
        """Sign the head, and do something before the next commit; it must be short, because all writers wait for it.

        Raises the Failure of a log that cannot be written or is damaged, and what the work raises.
        """
        appended = await self._submit(checkpoint=CheckpointKind.REGULAR, between=work)
        result: T = appended.value
        return result

    async def resume(self, *, because: str, actor: Principal, session: str | None) -> Recorded:
        """Go on with a damaged log, behind an event that says what was found and why; only a person may ask for this.

        What is damaged stays as it is, and every verification names it. Raises Failure.
        """
        damage = self._commits.damage
        if not damage:
            raise not_damaged()
        found = [{"kind": one.kind, "seq": one.seq, "message": one.message} for one in damage[:_MOST_TOLD]]
        payload = {
            Attr.AUDIT_BECAUSE: because,
            Attr.AUDIT_FOUND: found,
            Attr.AUDIT_PROBLEMS: len(damage),
        }
        event = self._prepare(AuditEvent(type=RESUMED, session=session, actor=actor, payload=payload))
        appended = await self._submit(resumes=event)
        for listener in self._when_resumed:
            await listener()
        return appended.records[0]

    def when_resumed(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Have something done that could not be done with a damaged log, once a person has gone on with it."""
        self._when_resumed.append(listener)

    async def close(self) -> None:
        """Write what is waiting, sign the head, close the seal, and end the writer."""
        first = self._closing is None
        if self._closing is None:
            self._closing = self._submit(checkpoint=CheckpointKind.REGULAR, last=True)
        # A log that cannot be written keeps its last checkpoint; closing is no reason to complain again.
        await asyncio.wait([self._closing])
        self._closing.exception()
        self._writer.join()
        if first:
            self._answers.close()
            self._jobs.close()

    def _recovered(self) -> Prepared | None:
        """Return the event that names what was found after a power loss, if there is any."""
        first = self._commits.guard.found
        if not first:
            return None
        payload = {Attr.AUDIT_FIRST: first, Attr.AUDIT_LAST: self._commits.head.seq}
        return self._prepare(AuditEvent(type=RECOVERED, session=None, actor=DAEMON, payload=payload))

    def _submit(
        self,
        events: tuple[Prepared, ...] = (),
        effect: Effect | None = None,
        *,
        checkpoint: CheckpointKind | None = None,
        last: bool = False,
        resumes: Prepared | None = None,
        between: Callable[[AtRest], Any] | None = None,
    ) -> "asyncio.Future[Appended[Any]]":
        if self._closing is not None:
            raise unavailable("the log is closed, because the daemon is stopping")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Appended[Any]] = loop.create_future()
        try:
            answers = self._answers.on(loop)
        except OSError as problem:
            raise unavailable(in_words(problem)) from problem
        job = _Job(events, effect, checkpoint, done=done, answers=answers, last=last, resumes=resumes, between=between)
        self._gathering.add(job, loop)
        if last:
            self._gathering.flush()
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
                slim, *told = await large.moved(each.event._replace(id=each.id))
            except OSError as problem:
                raise unavailable(problem.strerror or type(problem).__name__) from problem
            events.append(self._prepare(slim))
            further += map(self._prepare, told)
        return (*events, *further)

    def _prepare(self, event: AuditEvent) -> Prepared:
        who = event.actor
        actor = checked_names(event.type, who, event.session, event.action, event.connector, event.failure_class)
        check_text(event.id, name="id")
        try:
            payload = canonical_json({**event.payload, MEANS_KEY: f"{who.means}"})
        except CanonicalError as problem:
            raise CanonicalError(f"the payload of {event.type} is not JSON: {problem}") from problem
        return Prepared(event, event.id or self._ids.new(IdPrefix.AUDIT), actor, payload)

    def _work(self) -> None:
        stopping = False
        while not stopping:
            group = self._gather()
            if group and group[0].resumes is not None:
                deliver(group, [self._resume(group[0].resumes)])
                continue
            if not group and self._commits.reason:
                self._commits.probe()
                continue
            entries: list[Entry] = [*group]
            if not group or (self._sign_at is not None and self._clock.monotonic() >= self._sign_at):
                entries.append(Entry(checkpoint=CheckpointKind.REGULAR))
            answers = self._commits.commit(entries)[: len(group)]
            for place, job in enumerate(group):
                if job.between is not None:
                    answers[place] = self._between(job.between, answers[place])
            self._note_unsigned()
            stopping = bool(group) and group[-1].last
            if stopping:
                self._commits.end()
            deliver(group, answers)

    def _between(self, work: Callable[[AtRest], Any], answer: Appended[Any] | Exception) -> Appended[Any] | Exception:
        if isinstance(answer, Exception):
            return answer
        seal, running = self._commits.guard.closed_records()
        try:
            return answer._replace(value=work(AtRest(head=self._commits.head, seal=seal, running=running)))
        except Exception as problem:  # noqa: BLE001 - it is the caller's, and this thread lives on
            return problem

    def _resume(self, event: Prepared) -> Any:
        try:
            return self._commits.resume(event)
        except Failure as failure:
            return failure

    def _gather(self) -> list[_Job]:
        """Wait for work, and take what has piled up behind it.

        Comes back without any when it is time to look after a failed disk, or to sign what is not signed yet.
        """
        patience = None
        if self._commits.guard.damage:
            pass  # only a person can change that
        elif self._commits.reason:
            patience = _PROBE_SECONDS
        elif self._sign_at is not None:
            patience = max(0.0, self._sign_at - self._clock.monotonic())
        group = self._jobs.take(_GROUP, patience)
        for place, job in enumerate(group):
            if job.resumes is not None:
                alone = max(1, place)  # it is no part of a transaction with others
                self._jobs.put_back(group[alone:])
                return group[:alone]
        return group

    def _note_unsigned(self) -> None:
        head = self._commits.guard.head
        if head.seq == head.checkpoint:
            self._sign_at = None
        elif self._sign_at is None or head.checkpoint != self._signed_to:
            self._sign_at = self._clock.monotonic() + self._seconds
        self._signed_to = head.checkpoint

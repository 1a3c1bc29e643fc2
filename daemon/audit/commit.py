"""One group of appends as one transaction: effects, rows, checkpoints; and what is known of the end of the chain.

What is signed is the end of the chain as this process remembers it, never what the database says, and only as long as
the database agrees. A log that is damaged is not signed and takes no more events.
"""

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError, SQLAlchemyError

from daemon.audit.checkpoint import CheckpointKind, Head
from daemon.audit.damage import Problem
from daemon.audit.entries import Appended, Effect, Entry, Prepared
from daemon.audit.filing import Filing
from daemon.audit.growing_chain import GrowingChain
from daemon.audit.guard import Guard
from daemon.audit.refusals import cannot_resume, damaged, unavailable
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import Clock, rfc3339
from daemon.base.faults import FaultPoints
from daemon.core.named_errors import in_words
from daemon.db.statements import HotStatement
from daemon.db.tables import audit_checkpoints, audit_events
from daemon.db.writing import WritingConnection

_INSERT = HotStatement(insert(audit_events), [column.name for column in audit_events.columns])
_ASKED_AT_ONCE = 500
_WEIGHT = (CheckpointKind.REGULAR, CheckpointKind.START, CheckpointKind.RECOVERY, CheckpointKind.RESUMED)

# What the database says about a statement, not about itself: the fault of an effect, not of the disk.
_OF_THE_STATEMENT = (IntegrityError, ProgrammingError, DataError, NotSupportedError)


class _Refused(Exception):
    """Some entries must not be part of the transaction; why, by their place in the group."""

    def __init__(self, reasons: Mapping[int, Exception]) -> None:
        super().__init__()
        self.reasons = reasons


class GroupCommit:
    """Commits groups over a connection of its own; used by one thread.

    What is known of the log is in one of three states:

        whole      groups are committed
        failing    `reason` says why the last one was not; the next is tried
        damaged    `damage` says what was found; nothing is written until a person goes on with it
    """

    def __init__(
        self,
        *,
        engine: Engine,
        clock: Clock,
        signer: CheckpointSigner,
        checkpoint_every: int,
        faults: FaultPoints,
        boot: str,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._signer = signer
        self._checkpoint_every = checkpoint_every
        self._faults = faults
        self._connection: WritingConnection | None = None
        self.guard = Guard(signer=signer, boot=boot, every=checkpoint_every, faults=faults)
        """What watches over the log."""
        self._filing = Filing()
        self.reason: str | None = None
        try:
            self.guard.examine(engine.execution_options(aileron_writes=True))
        except (SQLAlchemyError, OSError) as problem:
            raise unavailable(_words(problem)) from problem

    @property
    def head(self) -> Head:
        """Return where the chain ends."""
        return self.guard.head

    @property
    def damage(self) -> tuple[Problem, ...]:
        """Return what is wrong with the log, as far as it was noticed."""
        return self.guard.damage

    def begin(self, recovered: Prepared | None) -> None:
        """Sign what an earlier daemon left unsigned, before anything else is written; raises Failure."""
        try:
            self.guard.begin()
        except OSError as problem:
            raise unavailable(_words(problem)) from problem
        if self.head.seq > self.head.checkpoint:
            events = () if recovered is None else (recovered,)
            kind = CheckpointKind.START if recovered is None else CheckpointKind.RECOVERY
            answer = self.commit([Entry(events, checkpoint=kind)])[0]
            if isinstance(answer, Exception):
                raise answer

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
                # After a commit that failed nobody knows whether it did: the next try looks into the file.
                self.disconnect()
                failure = damaged(self.damage) if self.damage else unavailable(_words(problem))
                self.reason = None if self.damage else _words(problem)
                return [refused.get(place) or failure for place in range(len(group))]
            else:
                self.reason = None
                self._filing.kept()
                try:
                    self.guard.note_committed(head)
                except OSError as problem:
                    # What was committed stands, and its callers are told so. The next ones wait until the seal can be
                    # written.
                    self.reason = _words(problem)
                return answers

    def probe(self) -> None:
        """Find out, by a write that changes nothing, whether a log that could not be written can be again."""
        head = self.head
        newest = audit_checkpoints.c.seq == head.checkpoint
        same = update(audit_checkpoints).where(newest).values(seq=audit_checkpoints.c.seq)
        if head.seq and not self.damage:
            regular = CheckpointKind.REGULAR
            self.commit([Entry(effect=lambda connection: connection.execute(same), checkpoint=regular)])

    def resume(self, event: Prepared) -> Appended[None]:
        """Go on with a damaged log behind everything that it has or had, and sign that; raises Failure.

        Nothing of what was found is changed or removed, so that it is found for ever.
        """
        self.disconnect()
        try:
            with contextlib.closing(WritingConnection(self._engine)) as writing, writing as connection:
                before = self.guard.furthest_of_all(connection)
                chain = GrowingChain(before, every=self._checkpoint_every)
                (appended,), _ = self._link([Entry((event,), checkpoint=CheckpointKind.RESUMED)], [None], {}, chain)
                head = chain.head()
                writing.run_rows(_INSERT, chain.rows)
                self._sign(connection, chain)
                self._filing.empty(writing.driver)  # what was wrong with the log may be wrong with it, too
            # Only now: as long as the event is not in the log, the next start must find the damage again.
            self.guard.resume(head)
        except (SQLAlchemyError, OSError) as problem:
            raise cannot_resume(_words(problem)) from problem
        assert isinstance(appended, Appended)  # noqa: S101 - no entry of this group can refuse
        return appended

    def end(self) -> None:
        """Close the seal behind the last checkpoint, if all is signed, and close the connection."""
        self.disconnect()
        if not self.damage and self.reason is None and self.head.seq == self.head.checkpoint:
            # A seal that stays open is no harm: the next start looks at the running head instead.
            with contextlib.suppress(OSError):
                self.guard.end()

    def disconnect(self) -> None:
        """Close the connection; the next commit opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _transact(
        self, group: Sequence[Entry], refused: Mapping[int, Exception]
    ) -> tuple[list[Appended[Any] | Exception], Head]:
        guard = self.guard
        if guard.damage:
            raise damaged(guard.damage)
        if not guard.sealed:
            guard.seal_again()
        writing = self._connection or self._connected()
        with writing as connection:
            values, refused = _run_effects(connection, group, refused)
            chain = GrowingChain(guard.head, every=self._checkpoint_every)
            answers, asked = self._link(group, values, refused, chain)
            head = chain.head()
            self._faults.hit("audit.before_insert")
            if chain.rows:
                try:
                    writing.run_rows(_INSERT, chain.rows)
                except IntegrityError as problem:
                    raise _doubled(connection, group, chain.rows, problem) from None
            self._filing.add(writing.driver, end=head.seq)
            if chain.due or asked:
                guard.check(connection, until=head, again=asked)
                self._sign(connection, chain)
            guard.announce(head)
            self._faults.hit("audit.before_commit")
        self._faults.hit("audit.after_commit")
        return answers, head

    def _connected(self) -> WritingConnection:
        writing = WritingConnection(self._engine)
        try:
            with writing as connection:
                self.guard.find_again(connection)
                self._filing.find(writing.driver, end=self.guard.head.seq)
        except BaseException:
            writing.close()
            raise
        self._connection = writing
        return writing

    def _sign(self, connection: Connection, chain: GrowingChain) -> None:
        for checkpoint in chain.due:
            connection.execute(insert(audit_checkpoints).values(checkpoint.row(self._signer)))

    def _link(
        self, group: Sequence[Entry], values: Sequence[Any], refused: Mapping[int, Exception], chain: GrowingChain
    ) -> tuple[list[Appended[Any] | Exception], bool]:
        """Link the events into the chain; return the answers, and whether somebody asked for a checkpoint."""
        answers: list[Appended[Any] | Exception] = []
        wanted: list[CheckpointKind] = []
        now = rfc3339(self._clock.now_ms())
        for place, entry in enumerate(group):
            if place in refused:
                answers.append(refused[place])
                continue
            answers.append(Appended(chain.take(entry.events, now), values[place]))
            if entry.checkpoint is not None:
                wanted.append(entry.checkpoint)
        if wanted:
            chain.sign(max(wanted, key=_WEIGHT.index), now)
        return answers, bool(wanted)


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
                value = _within_savepoint(connection, entry.effect) if guarded else entry.effect(connection)
            except Exception as reason:
                if isinstance(reason, DBAPIError) and not isinstance(reason, _OF_THE_STATEMENT):
                    raise
                if not guarded:
                    raise _Refused({place: reason}) from reason
                found[place] = reason
        values.append(value)
    return values, found


def _within_savepoint(connection: Connection, effect: Effect) -> Any:
    with connection.begin_nested():
        return effect(connection)


def _doubled(
    connection: Connection, group: Sequence[Entry], rows: Sequence[tuple[Any, ...]], problem: IntegrityError
) -> Exception:
    """Return what is to be raised for rows that are not taken: whose ids were there, or else the problem itself."""
    doubles = _doubles(connection, group, {row[1] for row in rows}, before=rows[0][0])
    # Without a double someone else has written: the head must be read again.
    return _Refused(doubles) if doubles else problem


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


def _words(problem: BaseException) -> str:
    if isinstance(problem, OSError):
        return in_words(problem)
    original = getattr(problem, "orig", None) or problem
    return " ".join(str(original).split()) or type(original).__name__

"""Lands chosen files, and writes down what lands: before the first write, and after the last.

If the log cannot be written beforehand, nothing lands. A kill between the last write and the end in the log
is noticed at the next start, because the journal of a landing is removed only when its end is in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from daemon.audit.log import AuditLog
from daemon.base.faults import FaultPoints
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.named_errors import in_words
from daemon.core.principal import DAEMON, Principal
from daemon.workspaces import decision_records, records
from daemon.workspaces.decisions import Decision, Left, Outcome
from daemon.workspaces.landed import CutOff, Ending, Landed, LandingError, Recovered
from daemon.workspaces.landing import journal, landing
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.opening import reopen
from daemon.workspaces.values import Change

T = TypeVar("T")
_log = structlog.get_logger("daemon.workspaces")


async def _nothing_more(outcome: Outcome) -> None:
    """Do nothing."""


class Files:
    """Lands files. The caller lets one decision at a time work on a layer."""

    def __init__(self, *, layers: Layers, audit: AuditLog, faults: FaultPoints, draw_id: Callable[[], str]) -> None:
        self._layers = layers
        self._audit = audit
        self._faults = faults
        self._draw_id = draw_id
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="aileron-files")

    def close(self) -> None:
        """Wait for what is being written."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def land(
        self,
        layer: Layer,
        decision: Decision,
        chosen: Sequence[Change],
        left: Sequence[Left],
        *,
        landed: Callable[[Outcome], Awaitable[None]] = _nothing_more,
    ) -> Outcome:
        """Land what was chosen, all of it or nothing; raise Failure for nothing. `left` is what was not taken.

        `landed` is called when the files are there, while the journal is still kept: if the daemon is killed before it
        returns, the next one finds the journal.
        """
        if not chosen:
            outcome = Outcome(session=layer.session, mode=decision.mode, left=tuple(left))
            await landed(outcome)
            return outcome
        word = _Word(self._draw_id(), layer.session, decision)
        await self._audit.append(
            *records.started(landing=word.id, session=word.session, by=word.by, how=word.how, changes=chosen),
            *decision_records.left(landing=word.id, session=word.session, by=word.by, left=left),
        )
        return await self._carry_out(layer, word, chosen, left, landed)

    async def note_discarded(self, layer: Layer, *, by: Principal, how: str, changes: int | None) -> None:
        """Write down that a layer is thrown away, before it is."""
        await self._audit.append(*records.discarded(session=layer.session, by=by, how=how, changes=changes))

    async def recover(self, layer: Layer, *, settled: Callable[[CutOff], Awaitable[None]]) -> CutOff:
        """Undo or finish a landing of a daemon that was killed, and write down which; return what became of it.

        `settled` is called with that while the journal is still kept.

        What cannot be done now stays for the next start; until then nothing else lands from this layer.
        """
        if not layer.journal.exists():
            return CutOff()
        try:
            found, changes = await self._do(partial(self._recover, layer))
            known = found.landed.digests() if found.ending is Ending.FINISHED else _put_back(changes)
            await self._remember(layer, known)
            await self._audit.append(*records.recovered(session=layer.session, by=DAEMON, what=found))
            cut = CutOff(ending=found.ending, landed=found.landed)
            await settled(cut)
            await self._do(partial(landing.forget, layer))
        except (LandingError, Failure, OSError) as problem:
            _log.error("a landing that was cut off stays for the next start", session=layer.session, why=str(problem))
            return CutOff(problem=str(problem))
        _log.warning("a landing of an earlier daemon was cut off", session=layer.session, ending=found.ending.value)
        return cut

    async def _carry_out(
        self,
        layer: Layer,
        word: "_Word",
        chosen: Sequence[Change],
        left: Sequence[Left],
        landed: Callable[[Outcome], Awaitable[None]],
    ) -> Outcome:
        try:
            done = await self._do(partial(self._land, layer, chosen, word.id))
        except (LandingError, Failure, OSError) as problem:
            why = in_words(problem) if isinstance(problem, OSError) else str(problem)
            await self._remember(layer, _put_back(chosen))
            await self._audit.append(*records.failed(landing=word.id, session=word.session, by=word.by, why=why))
            if isinstance(problem, Failure):
                raise
            raise Failure(FailureClass.INTERNAL_ERROR, why, boundary=Boundary.USER) from problem
        self._faults.hit("files.landed")
        await self._remember(layer, done.digests())
        self._faults.hit("files.remembered")
        await self._audit.append(*records.landed(landing=word.id, session=word.session, by=word.by, what=done))
        self._faults.hit("files.recorded")
        outcome = _outcome(layer, word.decision, chosen, done, left)
        await landed(outcome)
        await self._do(partial(landing.forget, layer))
        return outcome

    async def _remember(self, layer: Layer, digests: Mapping[str, str]) -> None:
        """Keep in the record what a landing left in the person's folder, so that it does not count as their change."""

        def remember() -> None:
            known = self._layers.get(layer.session).landed
            self._layers.change(layer.session, landed={**known, **digests})

        if digests:
            await self._do(remember)

    def _land(self, layer: Layer, chosen: Sequence[Change], note: str) -> Landed:
        with reopen(layer.work) as person:
            return landing.land(layer, chosen, person.descriptor, faults=self._faults, note=note, keep_journal=True)

    def _recover(self, layer: Layer) -> tuple[Recovered, Sequence[Change]]:
        """Return what became of a landing that was cut off, and the changes that it was of."""
        written = journal.read(layer.journal)
        with reopen(layer.work) as person:
            found = landing.recover(layer, person.descriptor, faults=self._faults, keep_journal=True)
        return found, () if written is None else written.changes

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


@dataclass(frozen=True, slots=True)
class _Word:
    """A decision that is being carried out, and the id of its first event, which all the others name."""

    id: str
    session: str
    decision: Decision

    @property
    def by(self) -> Principal:
        """Return who decided."""
        return self.decision.by

    @property
    def how(self) -> str:
        """Return where it was decided."""
        return self.decision.how.value


def _put_back(changes: Sequence[Change]) -> dict[str, str]:
    """Return what the person has again after a landing was undone: the same content, with another time of change.

    Never of a conflict: there the person's side is their own change, and must go on to count as one.
    """
    return {
        each.path: each.person.digest
        for each in changes
        if each.person is not None and each.person.digest and not each.conflict
    }


def _outcome(layer: Layer, decision: Decision, chosen: Sequence[Change], done: Landed, left: Sequence[Left]) -> Outcome:
    paths = {each.path for each in done.paths}
    return Outcome(
        session=layer.session,
        mode=decision.mode,
        landed=tuple(each for each in chosen if each.path in paths),
        aside=tuple(Left(each.path, each.why) for each in done.conflicts),
        left=(*(Left(each.path, each.why) for each in done.refused), *left),
        kept=str(layer.kept) if any(each.kept for each in done.conflicts) else "",
    )

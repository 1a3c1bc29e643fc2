"""Lands files: what a person was shown is put into their folder, all of it or nothing, and nothing of theirs is lost.

    plan    which changes may land, in which order; nothing is touched
    stage   the journal is begun; new content is written beside the folder's files, and compared with what was shown
    do      every step is in the journal; each is a rename that overwrites nothing
    commit  everything is synced, then the journal says so
    clear   what was replaced goes, then the journal

A failure or a kill before the commit is undone, after it finished. `recover` does either at the next start. Extended
attributes, access lists, owners and times never land; a hard link of the person's is parted from its other names.
Everything here blocks: call it off the event loop.
"""

import contextlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.named_errors import in_words
from daemon.workspaces.landed import Ending, Landed, LandedPath, LandingError, NotLanded, NotUndone, Recovered
from daemon.workspaces.landing import journal as journals
from daemon.workspaces.landing.aside import Aside
from daemon.workspaces.landing.doing import do_steps
from daemon.workspaces.landing.finishing import clear_replaced, clear_stages, drop_empty, sync_all, syncs_one_by_one
from daemon.workspaces.landing.folder_lock import only_landing_in
from daemon.workspaces.landing.folders import Folders
from daemon.workspaces.landing.journal import Journal, Written
from daemon.workspaces.landing.place import Site
from daemon.workspaces.landing.plan import Plan, Step, make_plan
from daemon.workspaces.landing.preparing import Surroundings, compare_sides, placed, stage_steps
from daemon.workspaces.landing.rules import STAGING
from daemon.workspaces.landing.staging import Stage, refuse_left_over
from daemon.workspaces.landing.undoing import undo_steps
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.reading import opened_top
from daemon.workspaces.values import Change, Way

_MOST_NAMED = 10


def land(
    layer: Layer,
    changes: Sequence[Change],
    person: int,
    *,
    faults: FaultPoints = NO_FAULTS,
    owner: tuple[int, int] | None = None,
    note: str = "",
    keep_journal: bool = False,
) -> Landed:
    """Put the chosen changes into the person's folder, whose descriptor is `person`.

    `changes` are as they were shown: each lands only if both sides are still that. `owner` is for a daemon that is
    root; without it everything gets the owner of the folder it lands in. `note` is returned by a recovery. With
    `keep_journal` the journal stays until `forget`, so that a kill before the end is written down is noticed.
    Raise LandingError if nothing landed, or all was undone; NotUndone if that failed, too.
    """
    if layer.way is Way.LIVE:
        raise LandingError("The agent works in the folder itself, so there is nothing to land.")
    with only_landing_in(person), ExitStack() as open_:
        if layer.journal.exists():
            raise LandingError(
                "An earlier landing of this workspace was cut off, and is neither undone nor finished yet. "
                "Restart the daemon, which does that."
            )
        folders = open_.enter_context(Folders(person))
        agent = open_.enter_context(opened_top(layer.upper(layer.work)))
        plan = make_plan(changes, folders.kind)
        site = Site(folders=folders, stages={}, changes=plan.changes, aside=Aside(layer.kept))
        landing = _Landing(layer, person, open_.enter_context(Folders(agent)), site, faults)
        open_.callback(landing.close)
        return landing.run(plan, owner=owner, note=note, keep_journal=keep_journal)


def forget(layer: Layer) -> None:
    """Remove the journal of a landing that is done, because its end is written down elsewhere."""
    journals.remove(layer.journal)


def recover(layer: Layer, person: int, *, faults: FaultPoints = NO_FAULTS, keep_journal: bool = False) -> Recovered:
    """Undo or finish a landing that was cut off. A second time nothing happens, also after a cut in the middle.

    Raise LandingError if that cannot be done; then the journal stays.
    """
    with only_landing_in(person), ExitStack() as open_:
        written = journals.read(layer.journal)
        if written is None:
            journals.remove(layer.journal)
            return Recovered(ending=Ending.NOTHING)
        if os.fstat(person).st_ino != written.inode:
            raise LandingError("The folder is not the one in which the landing was cut off, so it was left alone.")
        try:
            site = Site(
                folders=open_.enter_context(Folders(person)),
                stages=_stages_left(person, written, open_),
                changes=written.changes,
                aside=Aside(layer.kept),
            )
            ended = _finished(written, site, faults) if written.is_committed else _undone(written, site, faults)
        except OSError as problem:
            raise NotUndone(
                f"A landing that was cut off can be neither undone nor finished: {in_words(problem)}. Mend that, then "
                "restart the daemon."
            ) from problem
        if not keep_journal:
            journals.remove(layer.journal)
        return ended


def _finished(written: Written, site: Site, faults: FaultPoints) -> Recovered:
    late = clear_replaced(written.steps, site, faults)
    landed = _landed(written.changes, written.failed or {}, written.conflicts)
    return Recovered(
        ending=Ending.FINISHED,
        note=written.note,
        landed=replace(landed, refused=written.refused, late=tuple(late)),
    )


def _undone(written: Written, site: Site, faults: FaultPoints) -> Recovered:
    left = _undo(written.steps, site, faults)
    return Recovered(ending=Ending.UNDONE, note=written.note, left=tuple(left))


class _Landing:
    """One landing, from its plan to its end."""

    def __init__(self, layer: Layer, person: int, agent: Folders, site: Site, faults: FaultPoints) -> None:
        self._person = person
        self._agent = agent
        self._site = site
        self._faults = faults
        self._journal = Journal(layer.journal)
        self._stages: dict[int, Stage] = {}
        self._kept = layer.kept
        self._name = STAGING + layer.session

    def run(self, plan: Plan, *, owner: tuple[int, int] | None, note: str, keep_journal: bool) -> Landed:
        """Do it all, or undo it and raise LandingError."""
        steps: Sequence[Step] = ()
        try:
            around = Surroundings(folders=self._site.folders)
            planned, tops = placed(plan, around)
            self._begin(tops, note)
            steps, failed = self._prepare(planned, around, owner)
            failed |= do_steps(steps, self._site, self._faults)
            drop_empty(steps, self._site)
            self._faults.hit("landing.done")
            sync_all(steps, self._site)
            self._faults.hit("landing.synced")
            told = {number: self._conflict(plan.changes[number], why) for number, why in failed.items()}
            others = tuple(self._conflict(change, why) for change, why in plan.conflicts)
            self._journal.commit(failed=told, conflicts=others, refused=plan.refused)
        except OSError as problem:
            self._undo(steps, problem)
            raise LandingError(f"Nothing landed: {in_words(problem)}. What had been begun was undone.") from problem
        except BaseException as problem:
            self._undo(steps, problem)
            raise
        self._faults.hit("landing.committed")
        late: list[NotLanded] = []
        with contextlib.suppress(OSError):  # it has landed; the next start clears away what is left
            late = clear_replaced(steps, self._site, self._faults)
            self._faults.hit("landing.cleared")
            if not keep_journal:
                self._journal.remove()
        return replace(_landed(plan.changes, told, others), refused=plan.refused, late=tuple(late))

    def close(self) -> None:
        """Close the journal and the staging folders; nothing is removed."""
        self._journal.close()
        for stage in self._stages.values():
            stage.close()

    def _begin(self, tops: Sequence[str], note: str) -> None:
        """Begin the journal, and make the staging folders."""
        for top in tops:
            # Before the journal says that such folders are ours.
            refuse_left_over(self._person, top)
        self._journal.begin(note=note, inode=os.fstat(self._person).st_ino, staging=self._name, tops=tops)
        self._faults.hit("landing.begun")
        self._site.stages = self._stages
        for number, top in enumerate(tops):
            self._stages[number] = Stage.make(self._person, top, self._name)

    def _prepare(
        self, planned: Sequence[Step], around: Surroundings, owner: tuple[int, int] | None
    ) -> tuple[Sequence[Step], dict[int, str]]:
        """Stage what is still as it was shown; the journal knows every step when this returns."""
        one_by_one = syncs_one_by_one(planned)
        compared, failed = compare_sides(planned, self._site)
        steps, changed = stage_steps(
            compared, self._site, around, self._agent, owner=owner, sync=one_by_one, faults=self._faults
        )
        self._faults.hit("landing.staged")
        self._journal.steps(self._site.changes, steps)
        self._faults.hit("landing.written_down")
        return steps, failed | changed

    def _conflict(self, change: Change, why: str) -> NotLanded:
        kept = "" if change.agent is None else self._site.aside.keep_below(self._agent, change.path)
        return NotLanded(path=change.path, why=why, kept=kept)

    def _undo(self, steps: Sequence[Step], because: BaseException) -> None:
        if not self._journal.is_begun:
            return
        try:
            left = _undo(steps, self._site, self._faults)
            self._journal.remove()
        except OSError as problem:
            raise NotUndone(
                f"The landing failed ({_words(because)}), and cannot be undone now ({in_words(problem)}). Restart the "
                "daemon to try again; what was replaced lies in the folder, in one whose name begins with "
                f"{STAGING}."
            ) from problem
        if left:
            named = ", ".join(repr(each.path) for each in left[:_MOST_NAMED])
            raise LandingError(
                f"The landing failed ({_words(because)}) and was undone, except for what you changed meanwhile: "
                f"{named}. What lay there before is below {self._kept}."
            ) from because


def _undo(steps: Sequence[Step], site: Site, faults: FaultPoints) -> list[NotLanded]:
    """Take back everything, put that on the disk, and clear away the staging folders; raise OSError, NotUndone."""
    left = undo_steps(steps, site, faults)
    faults.hit("landing.undone")
    sync_all(steps, site)
    clear_stages(site, faults)
    faults.hit("landing.undo_cleared")
    return left


def _stages_left(person: int, written: Written, open_: ExitStack) -> dict[int, Stage]:
    """Open the staging folders in which there is something left to do."""
    stages: dict[int, Stage] = {}
    for number, top in enumerate(written.tops):
        stage = Stage.open(person, top, written.staging)
        if stage is not None:
            open_.callback(stage.close)
            stages[number] = stage
    return stages


def _landed(changes: Sequence[Change], failed: dict[int, NotLanded], others: Sequence[NotLanded]) -> Landed:
    paths = tuple(
        LandedPath(path=each.path, old=each.person, new=each.agent)
        for number, each in enumerate(changes)
        if number not in failed
    )
    conflicts = sorted((*failed.values(), *others), key=lambda each: each.path)
    return Landed(paths=paths, conflicts=tuple(conflicts))


def _words(problem: BaseException) -> str:
    return in_words(problem) if isinstance(problem, OSError) else str(problem) or type(problem).__name__

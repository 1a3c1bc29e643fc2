"""Compares and stages what is going to land; what is not as it was shown is left out, before anything is touched."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from daemon.base.faults import FaultPoints
from daemon.workspaces.landing.doing import EDITED, why_not_there
from daemon.workspaces.landing.folders import Folders, is_no_folder
from daemon.workspaces.landing.place import Site
from daemon.workspaces.landing.plan import GOES, IMPLIED, Op, Plan, Step
from daemon.workspaces.landing.slots import Dress, new_dress, replacing_dress, stage_entry
from daemon.workspaces.looking.comparing import is_entry
from daemon.workspaces.reading import Unreadable, place_of
from daemon.workspaces.values import Entry


@dataclass(frozen=True, slots=True)
class Around:
    """The folder that something lands in; of one that is still to be made, the nearest that is there."""

    top: str
    """The topmost folder of its mount."""
    mode: int
    owner: tuple[int, int]


@dataclass(kw_only=True)
class Surroundings:
    """Looks up the folders that things land in, each once."""

    folders: Folders
    _known: dict[str, Around] = field(default_factory=dict)

    def of(self, folder: str) -> Around:
        """Return what is around something that lands in a folder; raise OSError."""
        known = self._known.get(folder)
        if known is None:
            known = self._known[folder] = self._look(folder)
        return known

    def _look(self, folder: str) -> Around:
        try:
            status = os.fstat(self.folders.at(folder))
            return Around(self.folders.mount_top(folder), status.st_mode, (status.st_uid, status.st_gid))
        except OSError:
            if not folder:
                raise
        # It is still to be made, or cannot be entered; then nothing lands in it.
        return self.of(folder.rpartition("/")[0])


def placed(plan: Plan, around: Surroundings) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Return the steps with their staging folders, and the folders that those lie in; raise OSError."""
    tops: dict[str, int] = {}
    steps = tuple(_staged_at(step, tops.setdefault(around.of(step.folder).top, len(tops))) for step in plan.steps)
    return steps, tuple(tops)


def compare_sides(steps: Sequence[Step], site: Site) -> tuple[list[Step], dict[int, str]]:
    """Compare the person's side with what was shown; return the steps, and the changes that drop out with why.

    Raise OSError.
    """
    dropped: dict[int, str] = {}
    known: list[Step] = []
    for step in steps:
        try:
            known.append(_compared(step, site, dropped))
        except Unreadable as problem:
            dropped[step.change] = f"in your folder: {problem}"
        except OSError as problem:
            dropped[step.change] = why_not_there(problem)
    return _without(known, dropped), dropped


def stage_steps(
    steps: Sequence[Step],
    site: Site,
    around: Surroundings,
    agent: Folders,
    *,
    owner: tuple[int, int] | None,
    sync: bool,
    faults: FaultPoints,
) -> tuple[list[Step], dict[int, str]]:
    """Write what comes into its slots; return the steps, and the changes that drop out with why. Raise OSError."""
    dropped: dict[int, str] = {}
    for step in steps:
        if step.op in GOES or step.change in dropped:
            continue
        entry = site.new(step)
        try:
            dress = _dress(step, entry, site, around, owner)
            stage_entry(agent, step.path, entry, site.stages[step.stage], str(step.slot), dress, sync=sync)
        except Unreadable as problem:
            dropped[step.change] = str(problem)
        faults.hit("landing.staged_one")
    return _without(steps, dropped), dropped


def _compared(step: Step, site: Site, dropped: dict[int, str]) -> Step:
    """Note what lies at a step's path in `site.seen`, or in `dropped` that it is not what was shown."""
    second = step.op not in GOES | {Op.SWAP} and site.old(step) is not None
    if step.change == IMPLIED or second:
        return step  # of a change in two steps, the first was compared
    try:
        folder = site.folders.at(step.folder)
    except OSError as problem:
        if step.op in {Op.PUT, Op.FOLDER} and is_no_folder(problem):
            return step  # its folder comes with this landing; nothing can be there yet
        raise
    place = place_of(folder, step.name)
    if not is_entry(place, site.old(step)):
        dropped[step.change] = EDITED
    elif place is not None:
        site.seen[step.change] = place.status
        status = place.status
        if step.op is Op.EMPTY:
            return replace(step, mode=stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
    return step


def _staged_at(step: Step, stage: int) -> Step:
    return step if step.stage == stage else replace(step, stage=stage)


def _dress(step: Step, entry: Entry, site: Site, around: Surroundings, owner: tuple[int, int] | None) -> Dress:
    seen = site.seen.get(step.change)
    root = os.geteuid() == 0
    if step.op is Op.SWAP and seen is not None and stat.S_ISREG(seen.st_mode):
        return replacing_dress(seen.st_mode, (owner or (seen.st_uid, seen.st_gid)) if root else None, entry)
    here = around.of(step.folder)
    return new_dress(here.mode, (owner or here.owner) if root else None, entry)


def _without(steps: Sequence[Step], dropped: dict[int, str]) -> list[Step]:
    return [step for step in steps if step.change == IMPLIED or step.change not in dropped]

"""Ends a landing: puts everything on the disk, and clears away what was replaced."""

import contextlib
import os
from collections.abc import Sequence

from daemon.base import exact_renames
from daemon.base.faults import FaultPoints
from daemon.workspaces.landed import NotLanded
from daemon.workspaces.landing.place import Site
from daemon.workspaces.landing.plan import IMPLIED, Op, Step
from daemon.workspaces.looking.comparing import holds, version

FEW = 64
"""Up to so many steps, each file and folder is synced by itself. With more steps the whole file system is synced: that
also writes what other programs left to write, and is still faster."""

_LATE = "it was written to in your folder after it had been replaced"


def syncs_one_by_one(steps: Sequence[Step]) -> bool:
    """Say whether each file is synced by itself when it is staged."""
    return len(steps) <= FEW or not exact_renames.can_sync_whole()


def sync_all(steps: Sequence[Step], site: Site) -> None:
    """Return when everything that was done, or undone, is on the disk; raise OSError."""
    if not syncs_one_by_one(steps):
        for stage in site.stages.values():
            exact_renames.sync_whole(stage.descriptor)
        return
    for stage in site.stages.values():
        os.fsync(stage.descriptor)
    for folder in sorted({step.folder for step in steps}):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # it went with this landing
            os.fsync(site.folders.at(folder))


def drop_empty(steps: Sequence[Step], site: Site) -> None:
    """Remove folders that were made only for something that did not land after all."""
    for step in reversed(steps):
        was_made = step.op is Op.FOLDER and holds(site.stage(step), str(step.slot), None)
        if was_made and step.change == IMPLIED:
            with contextlib.suppress(OSError):
                os.rmdir(step.name, dir_fd=site.folders.at(step.folder))


def clear_replaced(steps: Sequence[Step], site: Site, faults: FaultPoints) -> list[NotLanded]:
    """Clear away what was replaced; return what somebody still wrote to after that, with the copy that was kept.

    A program that had the old file open may do so. After a cut it is compared by its content.
    """
    late = [
        NotLanded(path=step.path, why=_LATE, kept=_kept(step, site))
        for step in steps
        if step.stage in site.stages and step.op in {Op.TAKE, Op.SWAP} and _written_to(step, site)
    ]
    clear_stages(site, faults)
    return late


def clear_stages(site: Site, faults: FaultPoints) -> None:
    """Remove the staging folders, when every step is done or undone; raise OSError.

    What cannot be removed of a retired one does no harm: git does not see it, and the next landing removes it.
    """
    for stage in site.stages.values():
        faults.hit("landing.before_clear")
        stage.retire()
    faults.hit("landing.retired")
    for stage in site.stages.values():
        with contextlib.suppress(OSError):
            stage.clear()


def _kept(step: Step, site: Site) -> str:
    return site.aside.keep(site.stage(step), str(step.slot), step.path, largest=None)


def _written_to(step: Step, site: Site) -> bool:
    stage, slot = site.stage(step), str(step.slot)
    try:
        now = os.stat(slot, dir_fd=stage, follow_symlinks=False)
    except OSError:
        return False
    taken = site.taken.get(step.slot)
    if taken is not None:
        return version(now) != version(taken) and not holds(stage, slot, site.old(step))
    return not holds(stage, slot, site.old(step)) and not holds(stage, slot, site.new(step))

"""Takes back the steps of a landing, by what is found: also those of a daemon that was killed between any two of them.

Whether a step was done is told by its slot in the staging folder. What a person wrote after that is never taken away:
it stays, and what lay there before is kept aside.
"""

import contextlib
import errno
import os
from collections.abc import Sequence

from daemon.base import exact_renames
from daemon.base.faults import FaultPoints
from daemon.workspaces.landed import NotLanded, NotUndone
from daemon.workspaces.landing.folders import is_no_folder
from daemon.workspaces.landing.place import Site
from daemon.workspaces.landing.plan import GOES, Op, Step
from daemon.workspaces.looking.comparing import holds

_EDITED = "it was changed in your folder after the landing was cut off, and was left as it is"
_NO_FOLDER = "the folder it lay in is gone, or was moved"


def undo_steps(steps: Sequence[Step], site: Site, faults: FaultPoints) -> list[NotLanded]:
    """Take back every step that was done, the last one first; return what could not be, and was left. Raise OSError.

    A second time nothing happens, also if the first time was cut off.
    """
    left: list[NotLanded] = []
    for step in reversed(steps):
        if step.stage not in site.stages:
            continue  # a cut came after its last step: nothing is left to undo
        faults.hit("landing.before_undo")
        try:
            why, kept = undo_step(step, site.folders.at(step.folder), site)
        except OSError as problem:
            if not is_no_folder(problem):
                raise
            if step.op not in GOES | {Op.SWAP} or not _is_taken(step, site):
                continue
            why, kept = _NO_FOLDER, _kept(step, site)
        if why:
            left.append(NotLanded(path=step.path, why=why, kept=kept))
    return left


def undo_step(step: Step, folder: int, site: Site) -> tuple[str, str]:
    """Take back one step in its opened folder; return why it was left, and where a copy is kept. Raise OSError."""
    if step.op is Op.EMPTY:
        _make_again(step, folder)
        return "", ""
    if step.op is Op.TAKE:
        if not _is_taken(step, site):
            return "", ""
        kept = put_back(step, folder, site)
        return (_EDITED if _slot_is_full(step, site) else ""), kept
    if step.op is Op.SWAP:
        return _undo_swap(step, folder, site)
    if _slot_is_full(step, site):
        return "", ""
    if step.op is Op.FOLDER:
        return _remove_folder(step, folder), ""
    return _take_away(step, folder, site), ""


def _undo_swap(step: Step, folder: int, site: Site) -> tuple[str, str]:
    stage, slot = site.stage(step), str(step.slot)
    if not _is_taken(step, site):
        return "", ""
    if holds(folder, step.name, site.new(step)):
        exact_renames.exchange(stage, slot, folder, step.name)
        if holds(stage, slot, site.new(step)):
            return "", ""
        exact_renames.exchange(stage, slot, folder, step.name)  # it was edited between the two
    elif holds(folder, step.name, None):
        return "", put_back(step, folder, site)
    return _EDITED, _kept(step, site)


def _take_away(step: Step, folder: int, site: Site) -> str:
    """Remove a new file again; if somebody changed it after it landed, it stays."""
    stage, slot = site.stage(step), str(step.slot)
    if holds(folder, step.name, None):
        return ""
    if not holds(folder, step.name, site.new(step)):
        return _EDITED
    exact_renames.move(folder, step.name, stage, slot)
    if holds(stage, slot, site.new(step)):
        return ""
    with contextlib.suppress(FileExistsError):
        exact_renames.move(stage, slot, folder, step.name)
    return _EDITED


def _remove_folder(step: Step, folder: int) -> str:
    try:
        os.rmdir(step.name, dir_fd=folder)
    except OSError as problem:
        if problem.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return _EDITED
        if not is_no_folder(problem):
            raise
    return ""


def _make_again(step: Step, folder: int) -> None:
    try:
        os.mkdir(step.name, 0o700, dir_fd=folder)
    except FileExistsError:
        return
    if os.geteuid() == 0:
        os.chown(step.name, *step.owner, dir_fd=folder, follow_symlinks=False)
    os.chmod(step.name, step.mode, dir_fd=folder)


def _is_taken(step: Step, site: Site) -> bool:
    """Say whether something of the person's is in the slot."""
    if not _slot_is_full(step, site):
        return False
    return step.op is Op.TAKE or not holds(site.stage(step), str(step.slot), site.new(step))


def _slot_is_full(step: Step, site: Site) -> bool:
    return not holds(site.stage(step), str(step.slot), None)


def _kept(step: Step, site: Site) -> str:
    """Keep a copy of the person's that is in the slot, which is cleared soon; raise NotUndone if that is impossible."""
    kept = site.aside.keep(site.stage(step), str(step.slot), step.path, largest=None)
    if not kept:
        raise NotUndone(
            f"{step.path} was changed while it landed, and there is no room for a copy of what lay there before. It is "
            f"in {site.stages[step.stage].name} in the folder. Make room, then restart the daemon."
        )
    return kept


def put_back(step: Step, folder: int, site: Site) -> str:
    """Give the person's file its name again; if they made another one meanwhile, keep a copy of the first."""
    stage, slot = site.stage(step), str(step.slot)
    try:
        exact_renames.move(stage, slot, folder, step.name)
    except FileExistsError:
        return _kept(step, site)
    return ""

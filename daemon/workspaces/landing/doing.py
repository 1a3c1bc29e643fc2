"""Does the steps of a landing, each so that an edit at the same moment is not lost.

A file is never overwritten: it changes places with the new one, or is moved into the staging folder. Then what came
out is compared with what the person was shown. If it is something else, both go back, and the path is a conflict.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Sequence

from daemon.base import exact_renames
from daemon.base.faults import FaultPoints
from daemon.workspaces.landing.folders import is_no_folder
from daemon.workspaces.landing.place import Site
from daemon.workspaces.landing.plan import GOES, IMPLIED, Op, Step
from daemon.workspaces.landing.undoing import put_back, undo_step
from daemon.workspaces.looking.comparing import content_version, holds, version
from daemon.workspaces.reading import Unreadable, place_of

EDITED = "it changed in your folder after you looked"
_NOT_EMPTY = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY})
"""Why a folder cannot be removed: something is in it, or (EBUSY) something is mounted there."""

_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV, errno.EBUSY, errno.ETXTBSY})
_MOVED = "the folder it lies in was moved while it landed"
_NO_FOLDER = "the folder it lies in is gone in your folder, or is a link now"


class Conflict(Exception):
    """One step cannot be done, because something is not as it was shown; everything is as before it."""


def do_steps(steps: Sequence[Step], site: Site, faults: FaultPoints) -> dict[int, str]:
    """Do the steps; return by number which changes could not be done, and why. After an OSError, some may be done."""
    failed: dict[int, str] = {}
    done: list[Step] = []
    start = 0
    while start < len(steps):
        end = start
        while end < len(steps) and steps[end].folder == steps[start].folder:
            end += 1
        done += _do_group(steps[start:end], site, faults, failed)
        start = end
    _take_back_halves(done, site, failed)
    return failed


def _do_group(steps: Sequence[Step], site: Site, faults: FaultPoints, failed: dict[int, str]) -> list[Step]:
    """Do the steps in one folder, and take them back if somebody moved it away meanwhile; return what was done."""
    done: list[Step] = []
    for step in steps:
        if step.change != IMPLIED and step.change in failed:
            continue
        faults.hit("landing.before_step")
        try:
            _do(step, site.folders.at(step.folder), site, faults)
            done.append(step)
        except (Conflict, Unreadable) as conflict:
            failed[step.change] = str(conflict)
        except OSError as problem:
            failed[step.change] = why_not_there(problem)
        faults.hit("landing.after_step")
    if done and not site.folders.is_still_there():
        folder = site.folders.at(steps[0].folder)
        for step in reversed(done):
            undo_step(step, folder, site)
            failed[step.change] = _MOVED
        done = []
    failed.pop(IMPLIED, None)  # what was to land in a folder that could not be made says so itself
    return done


def _take_back_halves(done: Sequence[Step], site: Site, failed: dict[int, str]) -> None:
    """Put back what was removed to make room, where the new thing could not be put there after all."""
    for step in reversed(done):
        if step.op in GOES and step.change in failed:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # the folder above went, too
                undo_step(step, site.folders.at(step.folder), site)


def why_not_there(problem: OSError) -> str:
    """Return why a single path cannot be worked on; raise the problem if it is about more than this path."""
    if is_no_folder(problem):
        return _NO_FOLDER
    if problem.errno in _FORBIDDEN:
        return f"it cannot be changed in your folder ({problem.strerror})"
    raise problem


def _do(step: Step, folder: int, site: Site, faults: FaultPoints) -> None:
    stage = site.stage(step)
    if step.op is Op.EMPTY:
        _remove_empty(folder, step.name)
    elif step.op in {Op.PUT, Op.FOLDER}:
        try:
            exact_renames.move(stage, str(step.slot), folder, step.name)
        except FileExistsError:
            if step.op is Op.PUT or not _is_folder(folder, step.name):
                raise Conflict("something is there in your folder since you looked") from None
    else:
        _check_unchanged(step, folder, site)
        faults.hit("landing.compared")
        _take_out(step, folder, site, faults)


def _take_out(step: Step, folder: int, site: Site, faults: FaultPoints) -> None:
    stage, slot = site.stage(step), str(step.slot)
    try:
        if step.op is Op.SWAP:
            exact_renames.exchange(stage, slot, folder, step.name)
        else:
            exact_renames.move(folder, step.name, stage, slot)
    except FileNotFoundError:
        raise Conflict(EDITED) from None
    faults.hit("landing.taken")
    came = os.stat(slot, dir_fd=stage, follow_symlinks=False)
    if _is_as_compared(came, step, site) or holds(stage, slot, site.old(step)):
        site.taken[step.slot] = came
        return
    if step.op is Op.SWAP and _swap_back(step, folder, site):
        raise Conflict(EDITED)
    put_back(step, folder, site)
    raise Conflict(EDITED)


def _check_unchanged(step: Step, folder: int, site: Site) -> None:
    place = place_of(folder, step.name)
    seen = site.seen.get(step.change)
    if place is not None and seen is not None and version(place.status) == version(seen):
        return
    if not holds(folder, step.name, site.old(step)):
        raise Conflict(EDITED)
    if place is not None:
        site.seen[step.change] = place.status


def _is_as_compared(came: os.stat_result, step: Step, site: Site) -> bool:
    """Say whether it is provably what was compared, without reading it again.

    Its time of change is older than the staging folder, so whatever was written since would have a later one.
    """
    seen = site.seen.get(step.change)
    old_enough = came.st_mtime_ns < site.stages[step.stage].began_ns
    return (
        seen is not None
        and old_enough
        and came.st_mode == seen.st_mode
        and content_version(came) == content_version(seen)
    )


def _swap_back(step: Step, folder: int, site: Site) -> bool:
    """Exchange the two again; return False if the new file is not there any more."""
    stage, slot = site.stage(step), str(step.slot)
    try:
        exact_renames.exchange(stage, slot, folder, step.name)
    except FileNotFoundError:
        return False
    if not holds(stage, slot, site.new(step)):
        # The person wrote a newer file in between; that one stays in their folder.
        exact_renames.exchange(stage, slot, folder, step.name)
    return True


def _remove_empty(folder: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as problem:
        if isinstance(problem, FileNotFoundError | NotADirectoryError):
            raise Conflict(EDITED) from problem
        if problem.errno in _NOT_EMPTY:
            raise Conflict("something in it stays in your folder") from problem
        raise


def _is_folder(folder: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False

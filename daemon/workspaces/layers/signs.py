"""Whether there may be commits in a layer: a quick look at its files, because asking git takes a container.

A commit moves a branch or HEAD. Git writes these as files, so without one of them in the layer nothing was committed.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from daemon.workspaces.layers.layer import Layer, Part
from daemon.workspaces.layers.opening import kind_below, open_below
from daemon.workspaces.layers.repository import Git, find
from daemon.workspaces.layers.site import GIT
from daemon.workspaces.reading import opened_top
from daemon.workspaces.values import Way

_WRITTEN = ("HEAD", "packed-refs", "reftable")
_MOST_REFS = 10_000


@dataclass(frozen=True, slots=True)
class Signs:
    """What a quick look at a layer says of git."""

    is_repository: bool
    may_have_commits: bool


def signs_of(layer: Layer) -> Signs:
    """Look at a layer, and at where git keeps what it knows of the person's folder."""
    work = Path(layer.work.source)
    found = find(work)
    if not isinstance(found, Git) or found.top != work or found.is_worktree != (_holder(layer).name == GIT):
        return Signs(is_repository=False, may_have_commits=False)
    git_folder = str(found.folder.relative_to(found.common if found.is_worktree else found.top))
    return Signs(is_repository=True, may_have_commits=layer.way is Way.COPY or _moved(layer, git_folder))


def _moved(layer: Layer, git_folder: str) -> bool:
    part = _holder(layer)
    common = "" if part.name == GIT else git_folder
    with opened_top(layer.upper(part)) as upper:
        for folder in {git_folder, common}:
            names = [f"{folder}/{name}" if folder else name for name in _WRITTEN]
            if any(kind_below(upper, name) is not None for name in names):
                return True
        return _has_files(upper, f"{common}/refs" if common else "refs")


def _holder(layer: Layer) -> Part:
    """Return the part that git's folder is in."""
    return next((part for part in layer.parts if part.name == GIT), layer.work)


def _has_files(descriptor: int, folder: str) -> bool:
    """Say whether anything but folders lies below a folder; what cannot be read, or is not a folder, counts as such."""
    waiting, seen = [folder], 0
    while waiting:
        place = waiting.pop()
        try:
            here = open_below(descriptor, place)
        except OSError as problem:
            if problem.errno == errno.ENOENT:
                continue
            return True
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    seen += 1
                    if seen > _MOST_REFS or not entry.is_dir(follow_symlinks=False):
                        return True
                    waiting.append(f"{place}/{entry.name}")
        finally:
            os.close(here)
    return False

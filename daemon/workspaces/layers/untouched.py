"""Says whether an agent has written anything at all into a layer, so that an empty one need not be kept."""

import os
import stat
from pathlib import Path

from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.values import Way

_MOST = 64
"""Entries that are looked at. A layer with more was written to."""


def is_untouched(layer: Layer) -> bool:
    """Say whether an overlay holds nothing of the agent's. A copy always counts as written to: looking is not cheap."""
    if layer.way is not Way.OVERLAY:
        return False
    try:
        return all(_is_empty(layer.upper(part)) for part in layer.parts)
    except OSError:
        return False


def _is_empty(upper: Path) -> bool:
    seen = 0
    waiting = [upper]
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                seen += 1
                if seen > _MOST:
                    return False
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    # A folder of the person's is copied up when something in it is; one of the agent's own is opaque
                    # or new, and then it is a change, too. Git's own are the only ones that are known to be neither.
                    if not _is_gits(Path(entry.path).relative_to(upper)):
                        return False
                    waiting.append(Path(entry.path))
                elif not stat.S_ISREG(mode) or not _is_refreshed(Path(entry.path).relative_to(upper)):
                    return False
    return True


def _is_gits(path: Path) -> bool:
    return path.parts == (".git",) or (path.parts[0] == "worktrees" and len(path.parts) <= 2)


def _is_refreshed(path: Path) -> bool:
    """Say whether it is git's index, which git writes also when it only looks: with the times of files."""
    inside_worktree = len(path.parts) == 3 and path.parts[0] == "worktrees" and path.name == "index"
    return str(path) == ".git/index" or inside_worktree

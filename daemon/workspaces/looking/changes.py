"""Looks at a layer and says what the agent changed, path by path, and what of it may land.

Everything here is hostile: the folders of the layer may change while they are read. What is said holds for what was
read, and landing compares again. Extended attributes, access lists, owners, times and the modes of folders are not
compared, because they never land.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon.workspaces.layers import manifest
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.looking import clocks
from daemon.workspaces.looking.base import Base, Now
from daemon.workspaces.looking.copy_side import CopySide
from daemon.workspaces.looking.git_index import GitIndex, IndexDamaged
from daemon.workspaces.looking.judging import Judging
from daemon.workspaces.looking.overlay_side import OverlaySide
from daemon.workspaces.looking.pointed import read_pointed
from daemon.workspaces.looking.runs_later import Pointed
from daemon.workspaces.looking.walk import Side, Walk
from daemon.workspaces.reading import Bounds, Budget, Spent, opened_top
from daemon.workspaces.values import Change, Changes, Way

_MOST_NOTES = 50


def look(
    layer: Layer,
    person: int,
    *,
    bounds: Bounds | None = None,
    pointed: Sequence[Pointed] | None = None,
    now: Now | None = None,
    steady: Callable[[], float] = time.monotonic,
) -> Changes:
    """Return everything that differs between the agent's side of a workspace and the person's.

    `person` is the person's folder, opened. `pointed` is what the person's configuration of git points to; it is read
    if it is not given. In the items what lies in a folder comes after the folder. A deleted folder is an item of its
    own beside what was in it; a new folder is one only if it is empty. What could not be read, or not within the
    bounds, is named in `not_seen`.

    Blocks for as long as the bounds allow: call it off the event loop. Raise OSError if the layer's folder is gone.
    """
    if layer.way is Way.LIVE:
        return Changes()
    try:
        side = _side_of(layer)
    except (OSError, ValueError) as error:
        return Changes(not_seen=(f"the list of what was copied at the start cannot be read: {error}",))
    notes: list[str] = []
    if pointed is None:
        pointed = read_pointed(Path(layer.work.source), person)
    base = Base(layer.start, now=now or clocks.now(), index=lambda: _index_of(layer, notes), landed=layer.landed)
    budget = Budget(bounds or Bounds(), steady)
    items: list[Change] = []
    with opened_top(layer.upper(layer.work)) as agent:
        judging = Judging(base, budget, pointed, sides=(agent, person))
        walk = Walk(agent, person, side, budget, lambda place: base.is_before(place.status.st_ctime_ns))
        try:
            for touched in walk:
                change = judging.change(touched)
                if change is not None:
                    items.append(change)
        except Spent as spent:
            after = f" after {items[-1].path}" if items else ""
            notes.append(f"the look ended early{after}: {spent}; there may be more changes")
        notes += walk.not_seen
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = [f"{len(notes) - _MOST_NOTES:,} more places could not be looked at"]
    items.sort(key=lambda change: change.path)
    return Changes(items=tuple(items), not_seen=tuple(notes))


def _side_of(layer: Layer) -> Side:
    if layer.way is Way.COPY:
        return CopySide(manifest.read(layer.manifest(layer.work)), landed=layer.landed)
    return OverlaySide()


def _index_of(layer: Layer, notes: list[str]) -> GitIndex | None:
    if not layer.start.has_index:
        return None
    try:
        return GitIndex.read(layer.index)
    except IndexDamaged as error:
        notes.append(f"the copy of git's index from the start cannot be used: {error}")
        return None

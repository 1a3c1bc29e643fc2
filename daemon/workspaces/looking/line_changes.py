"""Finds which lines differ between two texts: fast, and within a bound of work. Pure.

Equal ends are cut off; lines that occur once on both sides are anchors (the longest run of them that is in order on
both sides stays); between anchors the shortest way is searched (Myers, "An O(ND) difference algorithm", 1986).
When the work is used up, what is left counts as replaced as a whole, and the result says that it is not exact.
"""

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

Lines = Sequence[Hashable]
_MOST_STEPS_APART: Final = 400
"""How far two ranges may be apart, in lines, for the shortest way to be searched."""


@dataclass(slots=True)
class Work:
    """How many steps are left; one takes about 0.2 µs."""

    left: int = 4_000_000

    def take(self, steps: int) -> bool:
        """Use some up, and say whether there were as many."""
        if steps > self.left:
            return False
        self.left -= steps
        return True


@dataclass(frozen=True, slots=True)
class Range:
    """Lines [old_start:old_end] that were replaced by lines [new_start:new_end]."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class LineChanges:
    """Every range that differs, in order."""

    ranges: tuple[Range, ...]
    exact: bool
    """False if some ranges are larger than what really differs."""

    @property
    def added(self) -> int:
        """Return how many lines are new."""
        return sum(each.new_end - each.new_start for each in self.ranges)

    @property
    def removed(self) -> int:
        """Return how many lines are gone."""
        return sum(each.old_end - each.old_start for each in self.ranges)


def line_changes(a: Lines, b: Lines, work: Work) -> LineChanges:
    """Compare two texts, line by line."""
    found: list[Range] = []
    exact = True
    waiting = [Range(0, len(a), 0, len(b))]
    while waiting:
        part = _trim(a, b, waiting.pop())
        if part.old_start == part.old_end and part.new_start == part.new_end:
            continue
        if part.old_start == part.old_end or part.new_start == part.new_end:
            found.append(part)
            continue
        parts: list[Range] | None = None
        if work.take(part.old_end - part.old_start + part.new_end - part.new_start):
            parts = _between_anchors(a, b, part)
            if parts is not None:
                # Later parts wait below earlier ones, so that the result is in order.
                waiting.extend(reversed(parts))
                continue
            parts = _shortest(a, b, part, work)
        if parts is None:
            exact = False
            parts = [part]
        found.extend(parts)
    return LineChanges(tuple(_joined(found)), exact)


def _trim(a: Lines, b: Lines, part: Range) -> Range:
    old_start, old_end, new_start, new_end = part.old_start, part.old_end, part.new_start, part.new_end
    while old_start < old_end and new_start < new_end and a[old_start] == b[new_start]:
        old_start += 1
        new_start += 1
    while old_start < old_end and new_start < new_end and a[old_end - 1] == b[new_end - 1]:
        old_end -= 1
        new_end -= 1
    return Range(old_start, old_end, new_start, new_end)


def _once(lines: Lines, start: int, end: int) -> dict[Hashable, int]:
    """Return the place of each line that occurs once in a range."""
    places: dict[Hashable, int] = {}
    for place, line in enumerate(lines[start:end], start):
        places[line] = -1 if line in places else place
    return {line: place for line, place in places.items() if place >= 0}


def _between_anchors(a: Lines, b: Lines, part: Range) -> list[Range] | None:
    """Return the ranges between lines that occur once on both sides; None if there are no such lines."""
    there = _once(b, part.new_start, part.new_end)
    pairs = [
        (old, there[line]) for line, old in _once(a, part.old_start, part.old_end).items() if line in there
    ]  # in the order of the old side
    if not pairs:
        return None
    parts, old, new = [], part.old_start, part.new_start
    for old_place, new_place in _longest_rising(pairs):
        if old != old_place or new != new_place:
            parts.append(Range(old, old_place, new, new_place))
        old, new = old_place + 1, new_place + 1
    parts.append(Range(old, part.old_end, new, part.new_end))
    return parts


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest run of pairs that rises on the new side, too."""
    if all(before < after for (_, before), (_, after) in pairwise(pairs)):
        return pairs  # the usual case
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, (_, new) in enumerate(pairs):
        length = bisect_left(ends, new)
        before.append(at[length - 1] if length else -1)
        if length == len(ends):
            ends.append(new)
            at.append(index)
        else:
            ends[length] = new
            at[length] = index
    run = []
    index = at[-1]
    while index >= 0:
        run.append(pairs[index])
        index = before[index]
    return run[::-1]


def _shortest(a: Lines, b: Lines, part: Range, work: Work) -> list[Range] | None:
    """Return the fewest changes between two ranges; None if they are too far apart."""
    n, m = part.old_end - part.old_start, part.new_end - part.new_start
    reach = {1: 0}
    trail: list[dict[int, int]] = []
    for distance in range(min(n + m, _MOST_STEPS_APART) + 1):
        if not work.take(distance + 1):
            return None
        trail.append(dict(reach))
        for diagonal in range(-distance, distance + 1, 2):
            down = diagonal == -distance or (diagonal != distance and reach[diagonal - 1] < reach[diagonal + 1])
            x = reach[diagonal + 1] if down else reach[diagonal - 1] + 1
            y = x - diagonal
            while x < n and y < m and a[part.old_start + x] == b[part.new_start + y]:
                x += 1
                y += 1
            reach[diagonal] = x
            if x >= n and y >= m:
                return _walked_back(trail, part, n, m)
    return None


def _walked_back(trail: list[dict[int, int]], part: Range, x: int, y: int) -> list[Range]:
    """Return the single steps of the way that was found, in order."""
    steps = []
    for distance in range(len(trail) - 1, 0, -1):
        reach, diagonal = trail[distance], x - y
        down = diagonal == -distance or (diagonal != distance and reach[diagonal - 1] < reach[diagonal + 1])
        previous = diagonal + 1 if down else diagonal - 1
        old, new = reach[previous], reach[previous] - previous
        start, other = part.old_start + old, part.new_start + new
        steps.append(Range(start, start, other, other + 1) if down else Range(start, start + 1, other, other))
        x, y = old, new
    return steps[::-1]


def _joined(ranges: list[Range]) -> list[Range]:
    """Put ranges that touch each other together."""
    joined: list[Range] = []
    for each in ranges:
        if joined and joined[-1].old_end == each.old_start and joined[-1].new_end == each.new_start:
            joined[-1] = Range(joined[-1].old_start, each.old_end, joined[-1].new_start, each.new_end)
        else:
            joined.append(each)
    return joined

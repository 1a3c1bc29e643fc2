"""Shows people what changed in a file: the lines that differ, bounded, with nothing in them that a terminal obeys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from daemon.core.visible import visible
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.looking.contents import content_at
from daemon.workspaces.looking.line_changes import LineChanges, Range, Work, line_changes
from daemon.workspaces.reading import Unreadable, opened_top
from daemon.workspaces.values import Change, Entry, Kind

_CONTEXT = 3
_PROBED = 8000


class Mark(StrEnum):
    """What a line is, so that the caller can colour it."""

    HEAD = "head"
    HUNK = "hunk"
    ADDED = "added"
    REMOVED = "removed"
    SAME = "same"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that can be shown as it is."""

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is compared and shown."""

    file_bytes: int = 1 << 20
    """Larger files are not compared line by line."""
    total_bytes: int = 48 << 20
    lines: int = 500
    """Of one file's difference."""
    all_lines: int = 20_000
    line_length: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDifference:
    """What is different in one path."""

    path: str
    lines: tuple[Line, ...] = ()
    added: int = 0
    removed: int = 0
    exact: bool = True
    """False if the numbers are larger than the least that tells both apart."""
    compared: bool = True
    """False if the lines were not compared; the numbers are then nothing."""


def differences(
    layer: Layer, person: int, changes: Sequence[Change], *, limits: Limits | None = None, lines: bool = True
) -> list[FileDifference]:
    """Return what is different in each of some changes, in their order. With `lines` off, lines are only counted.

    `person` is the person's folder, opened. Blocks while it reads: call it off the event loop.
    """
    limits = limits or Limits()
    work = Work()
    left, room = limits.total_bytes, limits.all_lines if lines else 0
    found = []
    with opened_top(layer.upper(layer.work)) as agent:
        for change in changes:
            texts: tuple[bytes, bytes] | str
            try:
                limit = min(limits.file_bytes, left)
                old = content_at(person, change.path, change.person, limit)
                new = content_at(agent, change.path, change.agent, limit)
                texts = old, new
                left -= len(old) + len(new)
            except Unreadable as error:
                texts = str(error) if left > limits.file_bytes else "there is too much to compare everything"
            each = _difference(change, texts, limits, work, min(limits.lines, room))
            room -= len(each.lines)
            found.append(each)
    return found


def _difference(
    change: Change, texts: tuple[bytes, bytes] | str, limits: Limits, work: Work, room: int
) -> FileDifference:
    head = [Line(Mark.HEAD, line) for line in _head(change)] if room else []
    if isinstance(texts, str):
        lines = (*head, Line(Mark.NOTE, f"not compared: {texts}")) if room else ()
        return FileDifference(path=change.path, lines=lines, exact=False, compared=False)
    old, new = texts
    if b"\0" in old[:_PROBED] or b"\0" in new[:_PROBED]:
        note = f"binary, {_size(change.person)} before and {_size(change.agent)} now"
        return FileDifference(path=change.path, lines=(*head, Line(Mark.NOTE, note)) if room else ())
    before, after = _lines_of(old), _lines_of(new)
    compared = line_changes(before, after, work)
    if room:
        head += _cut(_hunks(before, after, compared, limits.line_length), room)
    return FileDifference(
        path=change.path, lines=tuple(head), added=compared.added, removed=compared.removed, exact=compared.exact
    )


def _head(change: Change) -> Iterator[str]:
    name = one_line(change.path)
    yield f"{change.act} {name}"
    for why in change.later:
        yield f"  lands by name only: {one_line(why)}"
    if change.conflict:
        yield f"  conflict: {one_line(change.conflict)}"
    if change.refused:
        yield f"  never lands: {one_line(change.refused)}"
    old, new = _what(change.person), _what(change.agent)
    if old != new and change.person is not None and change.agent is not None:
        yield f"  was {old}, is {new}"


def _what(entry: Entry | None) -> str:
    if entry is None:
        return "nothing"
    if entry.kind is Kind.FILE:
        return "a file that may be executed" if entry.executable else "a file"
    return {Kind.LINK: "a link", Kind.FOLDER: "a folder", Kind.OTHER: "a device, a fifo or a socket"}[entry.kind]


def _size(entry: Entry | None) -> str:
    return "nothing" if entry is None else f"{entry.size:,} bytes"


def _lines_of(text: bytes) -> list[bytes]:
    """Cut a text into lines, each with its end, so that a missing last one is a difference."""
    *whole, rest = text.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def _hunks(old: list[bytes], new: list[bytes], compared: LineChanges, longest: int) -> Iterator[Line]:
    """Yield a unified difference: each group of changes with the lines around it."""
    for group in _groups(compared.ranges):
        first, last = group[0], group[-1]
        start = max(0, first.old_start - _CONTEXT)
        end = min(len(old), last.old_end + _CONTEXT)
        new_start = first.new_start - (first.old_start - start)
        new_end = last.new_end + (end - last.old_end)
        yield Line(Mark.HUNK, f"@@ -{_span(start, end)} +{_span(new_start, new_end)} @@")
        place = start
        for each in group:
            yield from _shown(Mark.SAME, " ", old[place : each.old_start], longest)
            yield from _shown(Mark.REMOVED, "-", old[each.old_start : each.old_end], longest)
            yield from _shown(Mark.ADDED, "+", new[each.new_start : each.new_end], longest)
            place = each.old_end
        yield from _shown(Mark.SAME, " ", old[place:end], longest)


def _groups(ranges: Sequence[Range]) -> Iterator[list[Range]]:
    group: list[Range] = []
    for each in ranges:
        if group and each.old_start - group[-1].old_end > 2 * _CONTEXT:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _span(start: int, end: int) -> str:
    return f"{start + 1 if end > start else start},{end - start}"


def _shown(mark: Mark, sign: str, lines: Sequence[bytes], longest: int) -> Iterator[Line]:
    for line in lines:
        text = line.removesuffix(b"\n").decode("utf-8", "surrogateescape")
        more = f" … ({len(text) - longest:,} more characters)" if len(text) > longest else ""
        yield Line(mark, sign + one_line(text[:longest]) + more)
        if not line.endswith(b"\n"):
            yield Line(Mark.NOTE, "\\ no line end at the end of the file")


def _cut(lines: Iterator[Line], most: int) -> list[Line]:
    kept: list[Line] = []
    more = 0
    for line in lines:
        if len(kept) < most:
            kept.append(line)
        else:
            more += 1
    if more:
        kept.append(Line(Mark.NOTE, f"… {more:,} more lines"))
    return kept


def one_line(text: str) -> str:
    """Return a text as one line that shows every character for what it is; tabs stay."""
    return visible(text).replace("\n", "\\u{a}")

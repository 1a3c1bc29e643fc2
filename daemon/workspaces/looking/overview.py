"""Says in a few lines, or as JSON, what changed in a layer: first what would run later, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daemon.core.wire_paths import to_wire
from daemon.workspaces.looking.differences import FileDifference, Line, Mark, one_line
from daemon.workspaces.values import Act, Change, Changes, Entry, Kind


class Group(StrEnum):
    """Where a change stands in a list: what asks for the most care comes first."""

    LATER = "runs_later"
    CONFLICT = "conflicts"
    REFUSED = "refused"
    LINK = "links"
    REST = "rest"


TITLES = {
    Group.LATER: "Runs later, so each lands only when you name it:",
    Group.CONFLICT: "Changed on both sides, so yours stays:",
    Group.REFUSED: "Never lands:",
    Group.LINK: "Links, each lands only when you name it:",
    Group.REST: "Changed:",
}
_SIGNS = {Act.ADDED: "A", Act.MODIFIED: "M", Act.DELETED: "D"}


@dataclass(frozen=True, slots=True)
class Counts:
    """How much changed."""

    files: int
    added: int = 0
    removed: int = 0
    exact: bool = True
    not_compared: int = 0
    """Files whose lines are not in the numbers."""


def group_of(change: Change) -> Group:
    """Return where a change stands in a list."""
    if change.refused:
        return Group.REFUSED
    if change.agent is not None and change.agent.kind is Kind.LINK and len(change.later) == 1:
        return Group.LINK
    if change.later:
        return Group.LATER
    return Group.CONFLICT if change.conflict else Group.REST


def grouped(changes: Sequence[Change]) -> dict[Group, list[Change]]:
    """Return the changes by where they stand; groups without any are left out."""
    found: dict[Group, list[Change]] = {group: [] for group in Group}
    for change in changes:
        found[group_of(change)].append(change)
    return {group: items for group, items in found.items() if items}


def count(changes: Sequence[Change], differences: Sequence[FileDifference] = ()) -> Counts:
    """Count the files and links that changed, and their lines. Folders are not counted."""
    files = sum(not _is_folder(change) for change in changes)
    return Counts(
        files,
        sum(each.added for each in differences),
        sum(each.removed for each in differences),
        all(each.exact or not each.compared for each in differences),
        sum(not each.compared for each in differences),
    )


def summary(counts: Counts) -> str:
    """Return one line such as `12 files changed, +340 -21`."""
    files = "1 file" if counts.files == 1 else f"{counts.files:,} files"
    about = "" if counts.exact else "about "
    rest = f", {counts.not_compared:,} not compared" if counts.not_compared else ""
    return f"{files} changed, {about}+{counts.added:,} -{counts.removed:,}{rest}"


def listing(changes: Changes) -> Iterator[Line]:
    """Yield a list of everything that changed, in groups; and what could not be looked at."""
    for group, items in grouped(changes.items).items():
        yield Line(Mark.HEAD, TITLES[group])
        for change in items:
            yield Line(_mark(change), f"  {_SIGNS[change.act]} {one_line(change.path)}{_target(change.agent)}")
            yield from (Line(Mark.NOTE, f"      {one_line(why)}") for why in _reasons(change))
    if changes.not_seen:
        yield Line(Mark.HEAD, "Not looked at:")
        yield from (Line(Mark.NOTE, f"  {one_line(why)}") for why in changes.not_seen)


def as_json(changes: Changes, differences: Sequence[FileDifference] = ()) -> dict[str, Any]:
    """Return everything as values that JSON can hold. Paths are as `wire` writes them; `shown` is for people."""
    counts = count(changes.items, differences)
    lines = {each.path: each for each in differences}
    return {
        "summary": summary(counts),
        "files": counts.files,
        "added": counts.added,
        "removed": counts.removed,
        "exact": counts.exact,
        "not_compared": counts.not_compared,
        "changes": [
            _change_as_json(change, group, lines.get(change.path))
            for group, items in grouped(changes.items).items()
            for change in items
        ],
        "not_seen": [one_line(why) for why in changes.not_seen],
    }


def _change_as_json(change: Change, group: Group, difference: FileDifference | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "path": to_wire(change.path),
        "shown": one_line(change.path),
        "act": str(change.act),
        "group": str(group),
        "agent": _entry_as_json(change.agent),
        "person": _entry_as_json(change.person),
        "later": [one_line(why) for why in change.later],
        "conflict": one_line(change.conflict),
        "refused": one_line(change.refused),
    }
    if difference is not None:
        found |= {"added": difference.added, "removed": difference.removed, "exact": difference.exact}
        if difference.lines:
            found["lines"] = [{"mark": str(line.mark), "text": line.text} for line in difference.lines]
    return found


def _entry_as_json(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {
        "kind": str(entry.kind),
        "size": entry.size,
        "executable": entry.executable,
        "digest": entry.digest,
        "target": one_line(entry.target),
    }


def _reasons(change: Change) -> Iterator[str]:
    yield from change.later
    if change.conflict:
        yield f"conflict: {change.conflict}"
    if change.refused:
        yield change.refused


def _target(entry: Entry | None) -> str:
    return f" -> {one_line(entry.target)}" if entry is not None and entry.kind is Kind.LINK else ""


def _mark(change: Change) -> Mark:
    return {Act.ADDED: Mark.ADDED, Act.MODIFIED: Mark.SAME, Act.DELETED: Mark.REMOVED}[change.act]


def _is_folder(change: Change) -> bool:
    entry = change.agent if change.agent is not None else change.person
    return entry is not None and entry.kind is Kind.FOLDER

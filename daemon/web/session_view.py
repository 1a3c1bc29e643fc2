"""What the page of one workspace shows, made ready for its template: what would run later first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MOST_FILES = 200
_MOST_LINES = 1000
_MOST_LATER = 200
"""More are not ticked by hand; they are named on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """Everything that is shown of one workspace. Each item has its number in the list of changes."""

    plan: str
    commits_plan: str
    summary: str
    later: Sequence[Mapping[str, Any]]
    later_hidden: int
    conflicts: Sequence[Mapping[str, Any]]
    refused: Sequence[Mapping[str, Any]]
    plain: Sequence[Mapping[str, Any]]
    hidden: int
    """So many plain files are not on the page."""
    branches: Sequence[Mapping[str, Any]]
    becomes: str
    lines: Sequence[Mapping[str, str]]
    """Of the differences, each with what it is."""
    lines_left_out: int
    not_seen: Sequence[str]
    steady: bool

    @property
    def may_land(self) -> bool:
        """Whether there is something to land, and all of it is of one moment."""
        return self.steady and bool(self.later or self.conflicts or self.plain or self.branches)


def session_view(
    changes: Mapping[str, Any],
    commits: Mapping[str, Any] | None,
    difference: Sequence[Mapping[str, str]],
    *,
    whole: bool,
    steady: bool,
) -> SessionView:
    """Make the view of a workspace: with everything in it if `whole`, else with long lists and texts folded.

    It can be landed from the page only if it is `steady`: if the list and the differences are of one moment.
    """
    items = [each | {"number": number} for number, each in enumerate(changes["changes"])]
    refused = [each for each in items if each["refused"]]
    later = [each for each in items if each["later"] and not each["refused"]]
    conflicts = [each for each in items if each["conflict"] and not each["later"] and not each["refused"]]
    plain = [each for each in items if not (each["later"] or each["conflict"] or each["refused"])]
    shown = plain if whole else plain[:_MOST_FILES]
    return SessionView(
        plan=str(changes["plan"]),
        commits_plan="" if commits is None else str(commits["plan"]),
        summary=_summary(changes, commits),
        later=later[:_MOST_LATER],
        later_hidden=max(0, len(later) - _MOST_LATER),
        conflicts=conflicts,
        refused=refused,
        plain=shown,
        hidden=len(plain) - len(shown),
        branches=() if commits is None else commits["branches"],
        becomes="" if commits is None else str(commits["becomes"]),
        lines=difference if whole else difference[:_MOST_LINES],
        lines_left_out=0 if whole else max(0, len(difference) - _MOST_LINES),
        not_seen=changes["not_seen"],
        steady=steady,
    )


def _summary(changes: Mapping[str, Any], commits: Mapping[str, Any] | None) -> str:
    number = 0 if commits is None else int(commits["count"])
    counted = f", {number:,} commit{'' if number == 1 else 's'}" if number else ""
    return f"{changes['summary']}{counted}"

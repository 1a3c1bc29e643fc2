"""What a person decides about a layer, and which of its changes a decision takes. Pure.

A decision names what was shown by a digest, the *plan*. What is not as it was shown does not land.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from daemon.core.principal import Principal
from daemon.core.wire_paths import to_wire
from daemon.workspaces.values import Branch, Change, Changes, Entry

NOT_CHOSEN = "it was not chosen"
NOT_NAMED = "it would run later, and nobody said yes to it by name"


class Mode(StrEnum):
    """How what an agent did comes to the person."""

    FILES = "files"
    """Files into the folder; commits move the branch that is checked out, or become a branch."""
    BRANCH = "branch"
    """Everything as a branch of its own; the folder is left as it is."""
    AUTO = "auto"
    """Like FILES, but without a question. So what would run later lands only if the settings name it."""


class How(StrEnum):
    """Where the decision was made."""

    QUESTION = "question"
    OPTION = "option"
    AUTO = "auto"
    PAGE = "page"


class DecisionError(ValueError):
    """A decision cannot be carried out; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person said."""

    mode: Mode = Mode.FILES
    by: Principal
    how: How
    plan: str
    """The digest of the changes that were shown."""
    commits_plan: str = ""
    """The digest of the commits that were shown; empty to leave commits where they are."""
    paths: tuple[str, ...] | None = None
    """Files and folders to land; None for everything."""
    yes_to: frozenset[str] = frozenset()
    """Paths that would run later, each named and said yes to by itself."""
    branch: str = ""
    """What to call a branch; empty for the agent's own name of it, or ours."""


@dataclass(frozen=True, slots=True)
class Left:
    """A path that does not land, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What a decision takes of the changes, and what it leaves."""

    take: tuple[Change, ...]
    left: tuple[Left, ...]

    @property
    def is_everything(self) -> bool:
        """Whether nothing at all is left."""
        return not self.left


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a decision."""

    session: str
    mode: Mode
    landed: tuple[Change, ...] = ()
    aside: tuple[Left, ...] = ()
    """Conflicts: the person's side stays, the agent's is kept for them to look at."""
    left: tuple[Left, ...] = ()
    kept: str = ""
    """The folder with the agent's side of conflicts; empty if there is none."""
    branch: str = ""
    """The branch that was made, or moved."""
    moved: bool = False
    """Whether that is the branch that is checked out, which went forward."""
    commits: int = 0
    refs: tuple[str, ...] = ()
    """Where the commits lie in the person's repository, below `refs/aileron/`."""
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return it as the API answers it."""
        return {
            "session": self.session,
            "mode": self.mode.value,
            "landed": [{"path": to_wire(each.path), "act": each.act.value} for each in self.landed],
            "kept_aside": [{"path": to_wire(each.path), "why": each.why} for each in self.aside],
            "left": [{"path": to_wire(each.path), "why": each.why} for each in self.left],
            "kept": self.kept or None,
            "branch": self.branch or None,
            "moved": self.moved,
            "commits": self.commits,
            "refs": list(self.refs),
            "notes": list(self.notes),
        }


def plan_of(changes: Changes) -> str:
    """Return the digest of changes as they are shown."""
    return _digest([_stated(each) for each in changes.items])


def plan_of_commits(branches: Iterable[Branch]) -> str:
    """Return the digest of the commits that are shown."""
    return _digest([[each.ref, each.old, each.new] for each in branches])


def choose(
    changes: Changes, decision: Decision, *, auto_yes: Sequence[str] = (), in_commits: Collection[str] = ()
) -> Choice:
    """Return what a decision takes.

    `in_commits` are paths that commits change and that would run later: they, too, can be said yes to.

    What would run later is taken only if it was named, or, without a question, if a pattern of the settings names it.
    Conflicts are taken, too: landing keeps them aside. Raises DecisionError for a path at which nothing changed.
    """
    _check_named(changes, decision, in_commits)
    take: list[Change] = []
    left: list[Left] = []
    for each in changes.items:
        why = _why_left(each, decision, auto_yes)
        if why:
            left.append(Left(each.path, why))
        else:
            take.append(each)
    return Choice(tuple(take), tuple(left))


def changed_since(
    shown: Sequence[Change], now: Mapping[str, Change], landed: Mapping[str, str]
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Return which of the shown changes are still to land, and the paths at which the agent has something else now.

    What the person changed since is no reason to stop: landing compares their side and keeps the agent's aside. What
    landed already, because the same decision came twice, is in neither.
    """
    standing: list[Change] = []
    other: list[str] = []
    for each in shown:
        current = now.get(each.path)
        if current is not None and _is_still(each, current):
            standing.append(each)
        elif current is not None or landed.get(each.path) != _digest_after(each):
            other.append(each.path)
    return tuple(standing), tuple(other)


def matches(path: str, pattern: str) -> bool:
    """Say whether a path is named by a pattern: `*` stands for a part of one name, `**` for any number of folders."""
    return _compiled(pattern).fullmatch(path) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    known = {"**/": r"(?:[^/]+/)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(known.get(part) or re.escape(part) for part in parts), re.DOTALL)


def _why_left(change: Change, decision: Decision, auto_yes: Sequence[str]) -> str:
    """Say why a change is left; empty if it is taken."""
    if decision.paths is not None and not is_chosen(change.path, decision.paths):
        return NOT_CHOSEN
    if change.refused:
        return change.refused
    if not change.by_name_only:
        return ""
    if decision.mode is Mode.AUTO:
        named = any(matches(change.path, pattern) for pattern in auto_yes)
    else:
        named = change.path in decision.yes_to
    return "" if named else f"{NOT_NAMED}: {'; '.join(change.later)}"


def _check_named(changes: Changes, decision: Decision, in_commits: Collection[str]) -> None:
    there = {each.path for each in changes.items}
    for path in sorted(decision.yes_to - there - set(in_commits)):
        raise DecisionError(f"Nothing changed at {path!r}, so there is nothing to say yes to.")
    for path in decision.paths or ():
        if not any(_is_below(each, path) for each in there):
            raise DecisionError(f"Nothing changed at {path!r}. `aileron session diff` lists what did.")
    if decision.mode is Mode.AUTO and decision.yes_to:
        raise DecisionError(
            "Without a question nothing is said yes to by name; that is what [workspace] auto_yes is for."
        )


def is_chosen(path: str, chosen: Sequence[str]) -> bool:
    """Say whether a path is one of those that were named, or lies in a folder that was."""
    return any(_is_below(path, each) for each in chosen)


def _is_below(path: str, chosen: str) -> bool:
    folder = chosen.rstrip("/")
    return path == folder or path.startswith(f"{folder}/") or folder in ("", ".")


def _is_still(shown: Change, now: Change) -> bool:
    """Whether the agent's side is as it was shown, and nothing new speaks against it."""
    same = _entry(shown.agent) == _entry(now.agent) and shown.refused == now.refused
    return same and set(now.later) <= set(shown.later)


def _digest_after(change: Change) -> str:
    """Return what `Layer.landed` says of a path once this change has landed."""
    return "-" if change.agent is None else change.agent.digest


def _stated(change: Change) -> list[Any]:
    """Return what a person sees of a change, as far as it decides what lands."""
    return [
        change.path,
        change.act.value,
        _entry(change.agent),
        _entry(change.person),
        change.conflict,
        list(change.later),
        change.refused,
    ]


def _entry(entry: Entry | None) -> list[Any] | None:
    if entry is None:
        return None
    return [entry.kind.value, entry.size, entry.executable, entry.digest, entry.target]


def _digest(value: Any) -> str:
    # Not our canonical form: a name that is not UTF-8 has no place in it. ASCII escapes keep its bytes apart.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode('ascii')).hexdigest()}"

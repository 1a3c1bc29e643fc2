"""Why a path would run on the host later, in words: what tools obey, what git's configuration points to, and more.

What has a reason here lands only when a person named it and said yes to it by itself.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from daemon.core.later import EXECUTABLE
from daemon.workspaces.looking.alike import taken_for
from daemon.workspaces.looking.obeyed import HOOKS, OBEYED, Obeyed
from daemon.workspaces.values import Entry, Kind

LINK = "it is a link: what is read or written through it is something else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointed:
    """A place in the workspace that the person's own configuration of git points to."""

    path: str
    """A file, or a folder with everything in it; empty for the workspace itself."""
    key: str
    """What points to it, such as `core.hookspath`."""


def reasons(
    path: str, entry: Entry | None, pointed: Sequence[Pointed] = (), *, before: Entry | None = None
) -> tuple[str, ...]:
    """Return why what lies at a path would run later, most telling first; nothing if it would not.

    `entry` is what would land there, None if the path is deleted: what tools obey is then named all the same, because
    without it they do something else. `before` is what the person has there now.
    """
    parts = _parts(path)
    found = [rule.reason for rule in named(path)]
    found += [_of_pointed(each) for each in pointed if _is_at(parts, each)]
    if entry is not None and entry.kind is Kind.LINK:
        found.append(LINK)
    if _is_program(entry) and not _is_program(before):
        found.append(EXECUTABLE)
    return tuple(dict.fromkeys(found))


def named(path: str) -> list[Obeyed]:
    """Return what of the list a path falls under, by its names alone."""
    return [rule for rule, _ in _matches(_parts(path))]


def topmost(path: str, *, held_only: bool = False) -> str | None:
    """Return the part of a path up to the name that the list has, such as `a/.vscode` for `a/.vscode/tasks.json`.

    With `held_only`, only what the live way mounts read-only counts.
    """
    lengths = [length for rule, length in _matches(_parts(path)) if rule.held or not held_only]
    return "/".join(path.split("/")[: min(lengths)]) if lengths else None


def link_leads_to(path: str, target: str) -> list[str]:
    """Return the paths that a link, which does not lead out by its text, goes through, the last one included."""
    at = path.split("/")[:-1]
    found = []
    for step in target.split("/"):
        if step == "..":
            at.pop()
        elif step not in {"", "."}:
            at.append(step)
            found.append("/".join(at))
    return found


def link_leads_out(path: str, target: str) -> str:
    """Return why a link at a path never lands: it leads out of the workspace, or may. Empty if it stays inside.

    Only the text counts. A `..` behind a name may start from wherever that name leads as a link, so it is not accepted.
    """
    if target.startswith("/") or "\\" in target or re.match(r"[A-Za-z]:", target):
        return "it is a link to an absolute place"
    if not target or "\0" in target:
        return "it is a link to nowhere"
    steps = [step for step in target.split("/") if step not in {"", "."}]
    up = 0
    while up < len(steps) and steps[up] == "..":
        up += 1
    if up > path.count("/"):
        return "it is a link that leads out of the workspace"
    if ".." in steps[up:]:
        return "it is a link with `..` behind a name, so it may lead out of the workspace"
    return ""


Pattern = tuple[str | re.Pattern[str], ...]


def _compile(name: str) -> Pattern:
    return tuple(re.compile(translate(each)) if "*" in each else each for each in name.split("/"))


def _index() -> tuple[dict[str, list[tuple[Pattern, Obeyed]]], list[tuple[Pattern, Obeyed]]]:
    exact: dict[str, list[tuple[Pattern, Obeyed]]] = defaultdict(list)
    others: list[tuple[Pattern, Obeyed]] = []
    for rule in OBEYED:
        for name in rule.names:
            pattern = _compile(name)
            first = pattern[0]
            (exact[first] if isinstance(first, str) else others).append((pattern, rule))
    return dict(exact), others


_EXACT, _OTHERS = _index()


def _matches(parts: tuple[str, ...]) -> Iterator[tuple[Obeyed, int]]:
    """Return each rule that a path falls under, and how many of its names lead up to what the rule names."""
    for start, part in enumerate(parts):
        for pattern, rule in (*_EXACT.get(part, ()), *_by_shape(part)):
            end = start + len(pattern)
            if end <= len(parts) and all(map(_fits, pattern, parts[start:end])):
                yield rule, end


@lru_cache(maxsize=4096)
def _by_shape(part: str) -> tuple[tuple[Pattern, Obeyed], ...]:
    return tuple((pattern, rule) for pattern, rule in _OTHERS if _fits(pattern[0], part))


def _fits(wanted: str | re.Pattern[str], part: str) -> bool:
    return wanted == part if isinstance(wanted, str) else wanted.match(part) is not None


def _parts(path: str) -> tuple[str, ...]:
    return tuple(taken_for(name) for name in path.split("/"))


def _is_program(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is Kind.FILE and entry.executable


def _is_at(parts: tuple[str, ...], pointed: Pointed) -> bool:
    if not pointed.path:
        return len(parts) == 1 and parts[0] in HOOKS
    place = _parts(pointed.path)
    # What lies above counts, too: a folder that is replaced takes the place with it.
    return parts[: len(place)] == place or place[: len(parts)] == parts


def _of_pointed(pointed: Pointed) -> str:
    return f"your configuration of git points to it (`{pointed.key}`)"

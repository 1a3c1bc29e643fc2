"""Reads a lock as `uv pip compile` writes it: what is installed, where it is needed, and on whose behalf."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_VIA = "# via"
_PROJECT = re.compile(r"\((?P<file>.*pyproject\.toml)\)$")


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of a lock."""

    name: str
    version: str
    marker: str | None
    """Where it is needed, if not everywhere."""
    wanted_by: tuple[str, ...]
    """Names of packages, and the paths of our pyproject.toml files."""


def read_lock(text: str) -> Mapping[str, Locked]:
    """Return the packages by their names; raise ValueError at a line that pins nothing."""
    found: dict[str, Locked] = {}
    for entry in _entries(text.splitlines()):
        # `name==1.0 ; marker \` and its hashes; then comments that name who wanted it.
        required = Requirement(entry[0].removesuffix("\\").strip())
        pins = [specifier.version for specifier in required.specifier if specifier.operator == "=="]
        if len(pins) != 1:
            raise ValueError(f"{entry[0]!r} pins no version")
        name = canonicalize_name(required.name)
        marker = None if required.marker is None else str(required.marker)
        found[name] = Locked(name, pins[0], marker, tuple(_wanted_by(entry[1:])))
    return found


def closure(locked: Mapping[str, Locked], project: str) -> list[Locked]:
    """Return what a pyproject.toml of ours leads to, its own dependencies and theirs, by name."""
    found: set[str] = set()
    reached = {name for name, package in locked.items() if project in package.wanted_by}
    while reached - found:
        found |= reached
        reached = {name for name, package in locked.items() if found & set(package.wanted_by)}
    return [locked[name] for name in sorted(found)]


def _entries(lines: Sequence[str]) -> Iterable[list[str]]:
    entry: list[str] = []
    for line in lines:
        if line and not line[0].isspace() and not line.startswith("#"):
            if entry:
                yield entry
            entry = [line]
        elif entry:
            entry.append(line.strip())
    if entry:
        yield entry


def _wanted_by(lines: Sequence[str]) -> Iterable[str]:
    listing = False
    for line in lines:
        if line.startswith(_VIA):
            listing = True
        if listing and line.startswith("#"):
            words = line.removeprefix(_VIA).removeprefix("#").strip()
            project = _PROJECT.search(words)
            if project is not None:
                yield project["file"]
            elif words and not words.startswith("-"):
                yield canonicalize_name(words)

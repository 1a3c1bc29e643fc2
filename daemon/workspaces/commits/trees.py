"""The rules for the trees of a pack that comes from an agent: which names may stand in a folder that git makes. Pure.

There are two kinds of rules. A name that could make a repository, lead out of it or deceive git is never taken. Names
that are only dangerous when they are new (some file systems take them for another name, or they hold line ends) are
collected here, and refused where the agent's own commits add them: a person's repository may have such names already.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from daemon.workspaces.commits.failures import refused
from daemon.workspaces.looking.alike import taken_for
from daemon.workspaces.looking.git_names import is_git_name

FOLDER, FILE, EXECUTABLE, LINK, REPOSITORY = "40000", "100644", "100755", "120000", "160000"
_MODES = frozenset({FOLDER, FILE, EXECUTABLE, LINK, REPOSITORY})
_LONGEST_NAME = 255
REPOSITORY_PARTS = frozenset({"head", "objects", "refs"})
_RULES = frozenset({".gitmodules", ".gitattributes", ".gitignore", ".mailmap"})


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name in a tree."""

    mode: str
    name: str
    id: str


@dataclass(slots=True)
class Findings:
    """What was seen in the trees of a pack that is dangerous only if it is new."""

    names: dict[str, str] = field(default_factory=dict)
    """A name, and what is wrong with it."""
    repositories: bool = False
    """A folder has all that makes git take it for a repository."""


def read_tree(raw: bytes, id_bytes: int) -> list[TreeEntry]:
    """Take a tree object apart, or raise Failure."""
    entries, place = [], 0
    while place < len(raw):
        space = raw.find(b" ", place)
        end = raw.find(b"\0", space)
        if space < 0 or end < 0 or end + 1 + id_bytes > len(raw):
            raise refused("A tree of the agent's commits is damaged.")
        mode, name = raw[place:space].decode("ascii", "replace"), raw[space + 1 : end]
        place = end + 1 + id_bytes
        entries.append(TreeEntry(mode, name.decode("utf-8", "surrogateescape"), raw[end + 1 : place].hex()))
    return entries


def check_tree(entries: Iterable[TreeEntry], found: Findings) -> None:
    """Raise Failure for what is never taken; collect the rest."""
    alike: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        _check_entry(entry)
        wrong = _odd(entry.name)
        if wrong is not None:
            found.names[entry.name] = wrong
        alike[taken_for(entry.name)].append(entry.name)
    for names in alike.values():
        if len(set(names)) != len(names):
            raise refused(f"A folder in the agent's commits has the name {names[0]!r} twice.")
        if len(names) > 1:
            for name in names:
                other = next(each for each in names if each != name)
                found.names[name] = f"it differs from {other!r} only by case or by characters that cannot be seen"
    if alike.keys() >= REPOSITORY_PARTS:
        found.repositories = True


def _check_entry(entry: TreeEntry) -> None:
    if entry.mode not in _MODES:
        raise refused(
            f"{entry.name!r} in the agent's commits has the mode {entry.mode!r}, which is none that may land."
        )
    if entry.name in {"", ".", ".."} or "/" in entry.name:
        raise refused(f"A folder in the agent's commits has the name {entry.name!r}, which leads somewhere else.")
    if is_git_name(entry.name):
        raise refused(
            f"{entry.name!r} in the agent's commits is taken for a repository by git, here or on another system. "
            "Let the agent make its commits anew without it."
        )
    if entry.mode == LINK and taken_for(entry.name) in _RULES:
        raise refused(f"{entry.name!r} in the agent's commits is a link, and git would obey whatever it points to.")


def _odd(name: str) -> str | None:
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        return f"it is longer than {_LONGEST_NAME} bytes"
    if any(each < " " or each == "\x7f" for each in name):
        return "it has a control character or a line end in it"
    return None

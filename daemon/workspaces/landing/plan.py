"""Turns chosen changes into steps, in an order in which each can be done, and undone in reverse. Pure.

First everything that goes, what lies deepest first; then everything that comes, folders before what lies in them. A
change of kind, such as a file in the place of a folder, is two steps: the folder goes, the file comes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from daemon.workspaces.landed import NotLanded
from daemon.workspaces.landing.rules import links_among, never_lands
from daemon.workspaces.looking.runs_later import link_leads_to
from daemon.workspaces.values import Change, Entry, Kind

IMPLIED = -1
"""Stands in place of the number of a change, for a folder that is made because something lands in it."""

KindAt = Callable[[str], Kind | None]
"""Tells what lies at a path of the person's folder."""

_LEAF = frozenset({Kind.FILE, Kind.LINK})


class Op(StrEnum):
    """What is done in one step."""

    TAKE = "take"
    """A file or link of the person's goes into our staging folder."""
    EMPTY = "empty"
    """An empty folder of the person's is removed."""
    FOLDER = "folder"
    """A new folder is put into place."""
    PUT = "put"
    """A new file or link is put where nothing is."""
    SWAP = "swap"
    """A new file or link and the person's change places."""


GOES = frozenset({Op.TAKE, Op.EMPTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is done at one path."""

    op: Op
    path: str
    change: int
    """The number of the change it belongs to, or IMPLIED."""
    slot: int = 0
    """Its number; what it needs or takes away lies under it in the staging folder."""
    stage: int = 0
    """The number of the staging folder, which lies on the same mount."""
    mode: int = 0
    owner: tuple[int, int] = (0, 0)
    """For a folder that goes: how it is made again if it must be."""

    @property
    def folder(self) -> str:
        """Return the folder it is done in."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Return the name in that folder."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done for changes that were chosen, and what of them cannot land."""

    changes: tuple[Change, ...]
    """Those that are to land; steps name them by their number."""
    steps: tuple[Step, ...]
    conflicts: tuple[tuple[Change, str], ...]
    refused: tuple[NotLanded, ...]


def make_plan(chosen: Sequence[Change], kind_at: KindAt) -> Plan:
    """Sort out what may land, and return the steps for it."""
    allowed: dict[str, Change] = {}
    conflicts: list[tuple[Change, str]] = []
    refused: list[NotLanded] = []
    links = links_among(chosen)
    for change in chosen:
        why = "it was chosen twice" if change.path in allowed else never_lands(change)
        why = why or _through_a_link(change, links, kind_at)
        if why:
            refused.append(NotLanded(path=change.path, why=why))
        elif change.conflict:
            conflicts.append((change, change.conflict))
        else:
            allowed[change.path] = change
    standing = _Standing(allowed, kind_at)
    changes: list[Change] = []
    steps: list[Step] = []
    for change in sorted(allowed.values(), key=_down):
        blocked = standing.blocked(change)
        if blocked:
            conflicts.append((change, blocked))
            continue
        steps += standing.folders_for(change)
        steps += _steps(change, len(changes))
        changes.append(change)
    goes = sorted((step for step in steps if step.op in GOES), key=lambda step: step.path.split("/"), reverse=True)
    comes = sorted((step for step in steps if step.op not in GOES), key=_folder_by_folder)
    numbered = tuple(replace(step, slot=number) for number, step in enumerate((*goes, *comes)))
    return Plan(changes=tuple(changes), steps=numbered, conflicts=tuple(conflicts), refused=tuple(refused))


class _Standing:
    """Knows which folders there will be when something is to be put into them."""

    def __init__(self, allowed: dict[str, Change], kind_at: KindAt) -> None:
        self._allowed = allowed
        self._kind_at = kind_at
        self._kinds: dict[str, Kind | None] = {"": Kind.FOLDER}
        self._made: set[str] = set()

    def blocked(self, change: Change) -> str:
        """Return why something cannot be put where it belongs; empty if it can."""
        for above in _above(change.path):
            if self._will_be(above) not in {Kind.FOLDER, None}:
                return f"{above} is no folder that can be entered in your folder"
        if change.agent is None and self._now(change.path.rpartition("/")[0]) is not Kind.FOLDER:
            return "the folder it lies in is gone in your folder"
        return ""

    def folders_for(self, change: Change) -> Iterator[Step]:
        """Yield steps for the folders that are missing above something new."""
        if change.agent is None:
            return
        for above in _above(change.path):
            if self._will_be(above) is None and above not in self._made:
                self._made.add(above)
                yield Step(op=Op.FOLDER, path=above, change=IMPLIED)

    def _will_be(self, path: str) -> Kind | None:
        change = self._allowed.get(path)
        if change is None:
            return self._now(path)
        return Kind.FOLDER if change.agent is not None and change.agent.kind is Kind.FOLDER else self._now(path)

    def _now(self, path: str) -> Kind | None:
        if path not in self._kinds:
            above = self._now(path.rpartition("/")[0])
            # Nothing is looked up behind a link: what lies there is not in the person's folder.
            try:
                self._kinds[path] = self._kind_at(path) if above is Kind.FOLDER else None
            except OSError:
                self._kinds[path] = Kind.OTHER
        return self._kinds[path]


def _steps(change: Change, number: int) -> Iterator[Step]:
    comes, goes = change.agent, change.person
    if comes is not None and goes is not None and {comes.kind, goes.kind} <= _LEAF:
        yield Step(op=Op.SWAP, path=change.path, change=number)
        return
    if _is_folder(comes) and _is_folder(goes):
        return
    if goes is not None:
        yield Step(op=Op.EMPTY if _is_folder(goes) else Op.TAKE, path=change.path, change=number)
    if comes is not None:
        yield Step(op=Op.FOLDER if _is_folder(comes) else Op.PUT, path=change.path, change=number)


def _through_a_link(change: Change, links: frozenset[str], kind_at: KindAt) -> str:
    if change.agent is None or change.agent.kind is not Kind.LINK:
        return ""
    # This landing does not control what the link leads to: somebody may make it lead out of the folder at any time.
    for place in link_leads_to(change.path, change.agent.target):
        try:
            kind = kind_at(place)
        except OSError:
            return ""  # there is no such folder, so nothing leads on from it
        if place in links or kind is Kind.LINK:
            return f"it is a link through another link, {place}"
    return ""


def _is_folder(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is Kind.FOLDER


def _above(path: str) -> Iterator[str]:
    names = path.split("/")[:-1]
    return ("/".join(names[:length]) for length in range(1, len(names) + 1))


def _down(change: Change) -> list[str]:
    return change.path.split("/")


def _folder_by_folder(step: Step) -> tuple[list[str], str]:
    *folders, name = step.path.split("/")
    return folders, name

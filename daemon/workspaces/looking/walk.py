"""Walks the agent's side of a workspace beside the person's: every path that may differ, with what lies there on both.

Everything is reached from two opened folders, and no link is followed. The two ways of a layer differ in what tells
that a name was deleted or not touched; that is their `Side`.
"""

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from daemon.workspaces.looking.base import Then
from daemon.workspaces.looking.touched import REPOSITORY, Siblings, Touched, refusal_of
from daemon.workspaces.reading import Budget, Place, Unreadable, names_in, opened_folder, place_of
from daemon.workspaces.values import Kind

OTHER_MOUNT = "another file system is mounted there in your folder, and the agent did not see it"


class Side(Protocol):
    """What differs between the ways of a layer: how the agent's side says what it is a change of."""

    crosses_mounts: bool
    """Whether the agent saw what else is mounted in the person's folder."""
    sees_everything: bool
    """Whether the agent saw all that is in a folder of the person's."""

    def is_same_folder(self, agent: int, person: int) -> bool | None:
        """Say whether the person's folder is the one that the agent's was made from; None if nothing tells."""
        ...

    def is_deleted(self, place: Place) -> bool:
        """Say whether what lies there only marks a deleted name."""
        ...

    def hides(self, folder: int) -> bool:
        """Say whether names that a folder of the agent's lacks are deleted; raise Unreadable."""
        ...

    def names_before(self, path: str, person: int, budget: Budget) -> Iterable[str]:
        """Return the names in a folder of the person's that the agent saw; raise Unreadable, Spent."""
        ...

    def is_untouched(self, path: str, mine: Place) -> bool:
        """Say whether it is certain, by times alone, that the agent did not change what lies there."""
        ...

    def known(self, path: str, theirs: Place | None) -> tuple[Then | None, str]:
        """Return what became of the person's side, and a conflict, as far as this way knows by itself."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """One folder of the layer that is being walked."""

    path: str
    agent: int
    person: int | None
    """The person's folder at the same path, if there is one."""
    hidden: bool
    """What the person has there and the upper folder does not name is deleted."""
    certain: bool = True
    """Whether the person's folder is the one that was there at the start, and not another that was moved there."""
    later: tuple[str, ...] = ()
    """Why everything in it lands by name only: it, or one above it, is taken for something else."""

    def join(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


@dataclass(slots=True)
class Walk:
    """One walk. Iterating raises Spent where a bound is reached; what could not be read is in `not_seen`."""

    agent: int
    person: int
    side: Side
    budget: Budget
    is_before: Callable[[Place], bool]
    """Says whether what lies there was last changed, and moved, before the session began."""
    not_seen: list[str] = field(default_factory=list)
    _mount: str = ""

    def __iter__(self) -> Iterator[Touched]:
        """Walk everything. Children of what is deleted come before it, those of what is new after it."""
        self._mount = _mount_of(self.person)
        top = _Folder(path="", agent=self.agent, person=self.person, hidden=self.side.hides(self.agent))
        return self._folder(top)

    def _folder(self, where: _Folder) -> Iterator[Touched]:
        try:
            names = names_in(where.agent, self.budget)
        except Unreadable as error:
            self._note(where.path, error)
            return
        siblings = Siblings(where.agent, names, None if where.hidden else where.person, self.side.is_deleted)
        if siblings.is_repository():
            where = replace(where, later=(REPOSITORY, *where.later))
        for name in names:
            if where.join(name) == ".git" and self._has_repository():
                continue  # git's own folder does not land as files: commits land by themselves
            try:
                yield from self._name(where, name, siblings)
            except Unreadable as error:
                self._note(where.join(name), error)
        self.not_seen += siblings.not_seen(where.path)
        if where.hidden and where.person is not None:
            try:
                yield from self._children_gone(where.path, where.person, set(names), where.certain)
            except Unreadable as error:
                self._note(where.path, error)

    def _name(self, where: _Folder, name: str, siblings: Siblings) -> Iterator[Touched]:
        path = where.join(name)
        mine = place_of(where.agent, name)
        if mine is None:
            return  # the agent deleted it a moment ago
        theirs = place_of(where.person, name) if where.person is not None else None
        whiteout = self.side.is_deleted(mine)
        refused = refusal_of(path, name)
        if refused:
            if (whiteout and theirs is not None) or not (whiteout or self.side.is_untouched(path, mine)):
                yield Touched(path=path, agent=None if whiteout else mine, person=theirs, refused=refused)
        elif whiteout:
            yield from self._gone(path, theirs, where.certain)
        elif mine.kind is Kind.FOLDER:
            yield from self._kept_folder(where, mine, theirs, siblings)
        elif not self.side.is_untouched(path, mine):
            then, conflict = self.side.known(path, theirs)
            if theirs is not None and theirs.kind is Kind.FOLDER:
                conflict = (yield from self._below_gone(path, theirs, where.certain)) or conflict
            later = siblings.later(name, where.later, new=theirs is None)
            yield Touched(
                path=path,
                agent=mine,
                person=theirs,
                then=then,
                certain=where.certain,
                conflict=conflict,
                later=later,
            )

    def _kept_folder(self, where: _Folder, mine: Place, theirs: Place | None, siblings: Siblings) -> Iterator[Touched]:
        """Walk a folder that the agent has; report it by itself if the person has none, or something else there."""
        path = where.join(mine.name)
        later = siblings.later(mine.name, where.later, new=theirs is None)
        if path.count("/") + 1 >= self.budget.bounds.depth:
            raise Unreadable(f"folders lie deeper in each other than {self.budget.bounds.depth}")
        with contextlib.ExitStack() as open_folders:
            agent = open_folders.enter_context(opened_folder(where.agent, mine.name))
            hidden = self.side.hides(agent)
            person, certain = None, where.certain
            if theirs is not None and theirs.kind is Kind.FOLDER:
                person = open_folders.enter_context(opened_folder(theirs.folder, theirs.name))
                if self._is_elsewhere(person):
                    yield Touched(path=path, agent=mine, person=theirs, refused=OTHER_MOUNT)
                    return
                same = self.side.is_same_folder(agent, person)
                certain = certain and (self.is_before(theirs) if same is None else same)
            elif theirs is not None:
                then, conflict = self.side.known(path, theirs)
                yield Touched(
                    path=path,
                    agent=mine,
                    person=theirs,
                    then=then,
                    certain=certain,
                    conflict=conflict,
                    later=later,
                )
            elif self._is_empty(agent):
                # Other new folders come with what is in them.
                yield Touched(path=path, agent=mine, person=None, later=later)
            yield from self._folder(
                _Folder(path=path, agent=agent, person=person, hidden=hidden, certain=certain, later=later)
            )

    def _gone(self, path: str, theirs: Place | None, certain: bool) -> Iterator[Touched]:
        """Report what the person has at a path that the agent deleted, what is below first."""
        if theirs is None:
            return
        then, conflict = self.side.known(path, theirs)
        if theirs.kind is Kind.FOLDER:
            conflict = (yield from self._below_gone(path, theirs, certain)) or conflict
        yield Touched(path=path, agent=None, person=theirs, then=then, certain=certain, conflict=conflict)

    def _below_gone(self, path: str, theirs: Place, certain: bool) -> Generator[Touched, None, str]:
        """Report everything in a folder of the person's as deleted; return why the folder itself has to stay."""
        if path.count("/") + 1 >= self.budget.bounds.depth:
            self._note(path, f"folders lie deeper in each other than {self.budget.bounds.depth}")
            return "it could not be looked through to the end"
        try:
            with opened_folder(theirs.folder, theirs.name) as person:
                if self._is_elsewhere(person):
                    return OTHER_MOUNT
                yield from self._children_gone(path, person, set(), certain and self.is_before(theirs))
                if not self.side.sees_everything:
                    before = set(self.side.names_before(path, person, self.budget))
                    if not before.issuperset(names_in(person, self.budget)):
                        return "something in it was left out of the agent's copy"
        except Unreadable as error:
            self._note(path, error)
            return "it could not be looked through to the end"
        return ""

    def _children_gone(self, path: str, person: int, except_for: set[str], certain: bool) -> Iterator[Touched]:
        for name in self.side.names_before(path, person, self.budget):
            child = f"{path}/{name}" if path else name
            if name in except_for or child == ".git":
                continue
            try:
                theirs = place_of(person, name)
                if theirs is not None and (refused := refusal_of(child, name)):
                    yield Touched(path=child, agent=None, person=theirs, refused=refused)
                else:
                    yield from self._gone(child, theirs, certain)
            except Unreadable as error:
                self._note(child, error)
                if theirs is not None:
                    yield Touched(path=child, agent=None, person=theirs, conflict=str(error))

    def _is_elsewhere(self, person: int) -> bool:
        return not self.side.crosses_mounts and _mount_of(person) != self._mount

    def _is_empty(self, folder: int) -> bool:
        """Say whether nothing but deleted names is in a folder of the agent's."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    place = place_of(folder, entry.name)
                    if place is not None and not self.side.is_deleted(place):
                        return False
        except OSError as error:
            raise Unreadable(f"its names cannot be read ({error.strerror})") from error
        return True

    def _has_repository(self) -> bool:
        return place_of(self.person, ".git") is not None

    def _note(self, path: str, why: object) -> None:
        self.not_seen.append(f"{path or 'the workspace'}: {why}")


def _mount_of(folder: int) -> str:
    """Return which mount an open folder is in, as the kernel numbers them.

    The number of the device would not tell a bind mount of the same file system, and would part subvolumes that the
    agent does see.
    """
    with open(f"/proc/self/fdinfo/{folder}", encoding="ascii") as lines:  # noqa: PTH123 (a hot path; the name is ours)
        for line in lines:
            if line.startswith("mnt_id:"):
                return line
    return ""

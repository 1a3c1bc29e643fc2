"""Whether the person's side of a path is as it was when the session began, and what follows from it for landing.

Nothing was copied at the start. What tells:

- the time at which the kernel last changed an entry (ctime), which no program can set: before the start is unchanged,
  unless a folder above it was moved there since;
- the copy of git's index: a file with its time and its content there was only touched, not changed; and a path that
  was tracked and is not there any more was deleted;
- what landed since: the person's side is what landing left.

Where none of them says it, the answer is that nobody knows, and a file of the person's is then not overwritten.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from daemon.workspaces.layers.layer import Start
from daemon.workspaces.looking.git_index import GitIndex, Tracked
from daemon.workspaces.values import Act, Entry, Kind

GRANULARITY_NS = 20_000_000
"""The kernel's clock for files stands still between its ticks, at most 10 ms; twice that is safe."""
_DRIFT_NS = 250_000_000
"""Both clocks are steered alike, so they differ by how far apart they were read; one that was set differs by more."""

LANDED_DELETED = "-"


class Then(StrEnum):
    """How the person's side is, compared with the start of the session."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Now:
    """The clocks at the moment of the look."""

    wall_ns: int
    boot_ns: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a path is for landing."""

    act: Act
    conflict: str = ""


CHANGED_TOO = "it was changed in your folder since the session began"
CANNOT_TELL = "nobody can tell whether it was changed in your folder since the session began"
DELETED_TOO = "it was deleted in your folder since the session began"


def judge(agent: Entry | None, person: Entry | None, then: Then) -> Verdict | None:
    """Decide what a path is, by what lies on both sides now and what became of the person's; None is no change.

    | agent's side | person's side  | then      |                                             |
    |--------------|----------------|-----------|---------------------------------------------|
    | the same     | the same       | any       | no change                                   |
    | there        | there, differs | unchanged | modified                                    |
    | there        | there, differs | otherwise | modified, conflict                          |
    | there        | absent         | changed   | added, conflict: the person deleted it      |
    | there        | absent         | otherwise | added: nothing of the person's is replaced  |
    | absent       | there          | unchanged | deleted                                     |
    | absent       | there          | otherwise | deleted, conflict                           |
    | absent       | absent         | any       | no change                                   |
    """
    if same(agent, person):
        return None
    if person is None:
        return Verdict(Act.ADDED, DELETED_TOO if then is Then.CHANGED else "")
    act = Act.DELETED if agent is None else Act.MODIFIED
    return Verdict(act, {Then.UNCHANGED: "", Then.CHANGED: CHANGED_TOO, Then.UNKNOWN: CANNOT_TELL}[then])


def same(one: Entry | None, other: Entry | None) -> bool:
    """Say whether nothing differs that could land. A file that was not read is never the same as another."""
    if one is None or other is None:
        return one is other
    if one.kind is not other.kind or one.kind is Kind.OTHER:
        return False
    if one.kind is Kind.FOLDER:
        return True
    return bool(one.digest) and one.digest == other.digest and one.executable == other.executable


def clock_was_set(start: Start, now: Now) -> bool:
    """Say whether the wall clock may have been set back since the start, so that times of files say nothing.

    Set forward is harmless: what the person changes then looks later than it was, never earlier. After the machine
    was started anew nothing tells whether the clock was set meanwhile.
    """
    if now.boot_id != start.boot_id:
        return True
    return (now.wall_ns - start.wall_ns) - (now.boot_ns - start.boot_ns) < -_DRIFT_NS


class Base:
    """What is known of the start of one session."""

    def __init__(
        self, start: Start, *, now: Now, index: Callable[[], GitIndex | None], landed: Mapping[str, str]
    ) -> None:
        """Take what was remembered, and the clocks of now. The index is read when it is first needed."""
        self._before_ns = start.wall_ns - GRANULARITY_NS
        self._times_tell = not clock_was_set(start, now)
        self._read_index = index
        self._landed = landed

    @cached_property
    def _index(self) -> GitIndex | None:
        return self._read_index()

    def tracked(self, path: str, changed_ns: int, *, certain: bool = True) -> Tracked | None:
        """Return what the index had of a path, if its content has to be compared: its time alone does not tell."""
        if (certain and self.is_before(changed_ns)) or self._index is None:
            return None
        return self._index.get(os.fsencode(path))

    def of_there(
        self,
        path: str,
        status: os.stat_result,
        entry: Entry,
        agent: Entry | None,
        git_id: str,
        *,
        certain: bool = True,
    ) -> Then:
        """Say what became of something in the person's folder. `git_id` is of its content, if it was asked for.

        Unless it is `certain` that the folders above are those of the start, the time of the entry tells nothing: it
        may have come with a folder that somebody moved there.
        """
        landed = self._landed.get(path)
        if landed is not None and entry.digest == landed and (agent is None or agent.executable == entry.executable):
            # The record has no execute bit. Where it differs, the person may have set it, so the time decides.
            return Then.UNCHANGED
        before = self.is_before(status.st_ctime_ns)
        if certain and before:
            return Then.UNCHANGED
        if landed is not None and entry.digest != landed:
            return Then.CHANGED
        tracked = self.tracked(path, status.st_ctime_ns, certain=certain)
        if tracked is not None and tracked.id == git_id and tracked.executable == entry.executable:
            touched_only = tracked.mtime_ns == status.st_mtime_ns and tracked.size == status.st_size & 0xFFFFFFFF
            # With another time somebody wrote the same again. It may have been something else at the start.
            return Then.UNCHANGED if touched_only else Then.UNKNOWN
        return Then.CHANGED if self._times_tell and not before else Then.UNKNOWN

    def of_absent(self, path: str) -> Then:
        """Say what became of a path at which the person has nothing."""
        landed = self._landed.get(path)
        if landed is not None:
            return Then.UNCHANGED if landed == LANDED_DELETED else Then.CHANGED
        if self._index is not None and self._index.get(os.fsencode(path)) is not None:
            return Then.CHANGED
        return Then.UNKNOWN

    def is_settled(self, path: str, agent: Entry | None, person: Entry | None) -> bool:
        """Say whether the agent's side has landed and is as it was then: what the person made of it since is theirs.

        Not so for folders, in which something new may lie, and where only the execute bit tells, which is not recorded.
        """
        landed = self._landed.get(path)
        if agent is None:
            return landed == LANDED_DELETED
        if agent.kind is Kind.FOLDER or not agent.digest or agent.digest != landed:
            return False
        return person is None or person.executable == agent.executable

    def is_before(self, changed_ns: int) -> bool:
        """Say whether a time of the kernel's is certainly before the start."""
        return self._times_tell and changed_ns < self._before_ns

"""Turns what a walk reports of a path into a change: what it is, whether it may land, and what stands against it."""

from collections.abc import Sequence

from daemon.workspaces.looking.base import Base, Then, Verdict, judge, same
from daemon.workspaces.looking.git_names import is_git_name
from daemon.workspaces.looking.runs_later import Pointed, link_leads_out, link_leads_to, reasons
from daemon.workspaces.looking.touched import Touched
from daemon.workspaces.reading import Budget, Place, Unreadable, entry_at, kind_below, unread
from daemon.workspaces.values import Act, Change, Entry, Kind

_OTHER_KINDS = "it is a device, a fifo or a socket"
_YOURS = "a device, a fifo or a socket lies there in your folder, and stays"
_SPECIAL = "it has a setuid, setgid or sticky bit"
_STAYS = "something in it stays in your folder"
_NAMED = "something in it lands by name only"
_NO_FOLDER = "the folder it lies in is something else in your folder since the session began"


class Judging:
    """Judges one path after another, in the order of the walk: folders depend on what was found in them."""

    def __init__(self, base: Base, budget: Budget, pointed: Sequence[Pointed], *, sides: tuple[int, int]) -> None:
        self._base = base
        self._sides = sides
        self._budget = budget
        self._pointed = pointed
        self._staying: set[str] = set()
        """Folders of the person's that cannot be removed, because something in them stays."""
        self._named: set[str] = set()
        """Folders of the person's in which something is deleted that lands by name only."""
        self._blocked = ""
        """A folder of the agent's where the person has something else: a conflict, so nothing lands below it."""

    def change(self, touched: Touched) -> Change | None:
        """Return what a path is, None if nothing of it differs; raise Spent."""
        refused = touched.refused
        agent, unreadable = self._entry(touched.agent)
        refused = refused or unreadable or self._never_lands(touched, agent)
        conflict = touched.conflict
        person, git_id, unreadable = self._persons(touched)
        if person is not None and person.kind is Kind.OTHER:
            refused = refused or _YOURS
        conflict = conflict or unreadable
        verdict = self._verdict(touched, agent, person, git_id)
        if verdict is None and refused:
            verdict = _refused_all_the_same(touched)
        if verdict is None:
            return None
        conflict = conflict or verdict.conflict or self._by_place(touched.path, agent, person)
        if touched.agent is None and (conflict or refused):
            self._above(touched.path, self._staying)
        if agent is not None and agent.kind is Kind.FOLDER and conflict:
            self._blocked = touched.path + "/"
        later = (*touched.later, *reasons(touched.path, agent, self._pointed, before=person))
        if touched.agent is None and later:
            self._above(touched.path, self._named)
        if person is not None and person.kind is Kind.FOLDER and touched.path in self._named:
            later = (*later, _NAMED)
        return Change(
            path=touched.path,
            act=verdict.act,
            agent=agent,
            person=person,
            conflict=conflict,
            later=tuple(dict.fromkeys(later)),
            refused=refused,
        )

    def _entry(self, place: Place | None) -> tuple[Entry | None, str]:
        """Return what lies on the agent's side, and why it could not be read."""
        if place is None:
            return None, ""
        try:
            return entry_at(place, self._budget)[0], ""
        except Unreadable as error:
            return unread(place), str(error)

    def _persons(self, touched: Touched) -> tuple[Entry | None, str, str]:
        """Return what lies on the person's side, git's id of it if that tells something, and why it is not readable."""
        place = touched.person
        if place is None:
            return None, "", ""
        tracked = None
        if touched.then is None and place.kind in {Kind.FILE, Kind.LINK}:
            tracked = self._base.tracked(touched.path, place.status.st_ctime_ns, certain=touched.certain)
        try:
            entry, git_id = entry_at(place, self._budget, git_hash=tracked.algorithm if tracked else "")
        except Unreadable as error:
            return unread(place), "", f"in your folder: {error}"
        return entry, git_id, ""

    def _never_lands(self, touched: Touched, agent: Entry | None) -> str:
        if agent is None or touched.agent is None:
            return ""
        if agent.kind is Kind.OTHER:
            return _OTHER_KINDS
        if agent.kind is Kind.LINK:
            return self._link_never_lands(touched.path, agent.target)
        return _SPECIAL if touched.agent.special else ""

    def _link_never_lands(self, path: str, target: str) -> str:
        if any(is_git_name(step) for step in target.split("/")):
            return "it is a link into a folder of git's own"
        refused = link_leads_out(path, target)
        if refused:
            return refused
        try:
            for through in link_leads_to(path, target):
                if any(kind_below(side, through) is Kind.LINK for side in self._sides):
                    return f"it is a link through another one, {through}, so where it leads can change"
        except Unreadable as error:
            return f"it is a link, and where it leads cannot be looked at: {error}"
        return ""

    def _verdict(self, touched: Touched, agent: Entry | None, person: Entry | None, git_id: str) -> Verdict | None:
        if self._base.is_settled(touched.path, agent, person):
            return None
        if person is None or touched.person is None:
            return judge(agent, None, touched.then or self._base.of_absent(touched.path))
        if same(agent, person):
            return None
        then = touched.then
        if then is None and person.kind is Kind.FOLDER:
            then = Then.UNCHANGED  # each thing in it is judged by itself
        if then is None:
            status = touched.person.status
            then = self._base.of_there(touched.path, status, person, agent, git_id, certain=touched.certain)
        return judge(agent, person, then)

    def _by_place(self, path: str, agent: Entry | None, person: Entry | None) -> str:
        """Return the conflict that follows from what lies around a path."""
        if agent is not None and self._blocked and path.startswith(self._blocked):
            return _NO_FOLDER
        if person is not None and person.kind is Kind.FOLDER and path in self._staying:
            return _STAYS
        return ""

    def _above(self, path: str, noted: set[str]) -> None:
        """Note every folder above a path."""
        folder = path.rpartition("/")[0]
        while folder and folder not in noted:
            noted.add(folder)
            folder = folder.rpartition("/")[0]


def _refused_all_the_same(touched: Touched) -> Verdict | None:
    """Return a verdict for what never lands and looks the same on both sides; None if it is the same.

    Folders were not looked into, and of a file a mode bit may differ that never lands.
    """
    if touched.agent is None or touched.person is None:
        return None
    alike = touched.agent.kind is not Kind.FOLDER and touched.agent.special == touched.person.special
    return None if alike else Verdict(Act.MODIFIED)

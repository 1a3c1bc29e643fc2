"""The agent's commits: checked in a quarantine, then brought into the person's repository below `refs/aileron/`.

Nothing that the container says is believed. What a branch holds is read from its objects, and git computes the id of
each object from its content. Everything here blocks, so call it on a thread.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemon.workspaces.commits import histories
from daemon.workspaces.commits.failures import disk_failures, refused
from daemon.workspaces.commits.histories import Touched
from daemon.workspaces.commits.host_git import Bounds, Repository
from daemon.workspaces.commits.news import refuse_new_names, runs_later
from daemon.workspaces.commits.pack_sizes import PackBounds
from daemon.workspaces.commits.packed import Packed
from daemon.workspaces.commits.person_refs import PersonRefs
from daemon.workspaces.commits.quarantine import Quarantine, discard
from daemon.workspaces.commits.ref_names import HEADS, TAGS, clash, problem
from daemon.workspaces.commits.trees import REPOSITORY, Findings
from daemon.workspaces.values import Branch, Entry

DETACHED = "HEAD"
"""The name that we give to a commit that is checked out and on no branch."""
SNAPSHOT = "snapshot"
"""The name that we give to the commit that holds what was not committed."""
_MOST_BRANCHES = 200
_DEFAULT_PACK = 1024**3

Reasons = Callable[[str, Entry | None, Entry | None], Sequence[str]]
"""Says why a path would run later: the path, what it becomes, and what it was before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckBounds:
    """How much may come out of a container."""

    pack_bytes: int = _DEFAULT_PACK
    pack: PackBounds = field(default_factory=PackBounds)
    git: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the agent committed, after every check; its objects are in the quarantine."""

    quarantine: Quarantine
    head: str
    """The branch that the agent is on, such as `refs/heads/main`; empty if it is on none."""
    branches: tuple[Branch, ...]
    """Branches and tags that the person does not have at these commits; `HEAD` for commits that are on no branch."""
    snapshot: Branch | None
    """The commit of what was not committed, if it was asked for and there was something."""
    repositories: tuple[str, ...]
    """Paths at which the commits name a commit of another repository (a submodule)."""
    nested: tuple[str, ...]
    """Repositories in the workspace that are no part of it; nothing of them is in the snapshot."""
    left_out: tuple[tuple[str, str], ...]
    """What was not taken, and why."""

    def all(self) -> tuple[Branch, ...]:
        """Return everything that would be brought."""
        return self.branches if self.snapshot is None else (*self.branches, self.snapshot)


@disk_failures()
def check(
    repository: Repository,
    packed: Packed,
    folder: Path,
    *,
    start_branch: str,
    start_commit: str,
    reasons: Reasons,
    bounds: CheckBounds | None = None,
) -> Checked:
    """Look at what came out of a container, in a folder of ours that is made anew.

    Raises Failure for what is hostile, and then nothing of it is left.
    `start_branch` and `start_commit` are what the person had checked out when the session began; empty for nothing.
    """
    bounds = bounds or CheckBounds()
    person = PersonRefs.read(repository, bounds.git)
    quarantine = Quarantine.make(folder, repository, bounds.git)
    try:
        findings = Findings()
        if packed.size:
            quarantine.take(packed, bounds.pack, most=bounds.pack_bytes)
            findings = quarantine.new_trees()
        return _Looking(quarantine, person, findings, reasons, start_branch, start_commit).look(packed)
    except BaseException:
        discard(folder)
        raise


class _Looking:
    """One look at the tips of what is in a quarantine."""

    def __init__(
        self,
        quarantine: Quarantine,
        person: PersonRefs,
        findings: Findings,
        reasons: Reasons,
        start_branch: str,
        start_commit: str,
    ) -> None:
        self._quarantine = quarantine
        self._git = quarantine.git
        self._person = person
        self._findings = findings
        self._reasons = reasons
        # The person's git may have removed the commit that they began with. Then we compare with where they are now.
        start = set(quarantine.types({start_commit} - {""}))
        self._start = (start_branch, start_commit if start else "")
        self._have = _commits(quarantine.types(person.all() | start))
        self._own = _commits(quarantine.types(person.own() | start))
        self._repositories: set[str] = set()
        self._touched: dict[str, list[Touched]] = {}
        self._left_out: list[tuple[str, str]] = []

    def look(self, packed: Packed) -> Checked:
        """Return what was found, or raise Failure."""
        self._left_out += packed.left_out
        types = self._quarantine.types({found for _, found in packed.refs} | {packed.snapshot or ""} - {""})
        taken = self._taken(packed.refs, types)
        if packed.snapshot is not None and types.get(packed.snapshot) != "commit":
            raise refused("The commit of the uncommitted work is not there.")
        tips = [found for _, found in taken] + ([packed.snapshot] if packed.snapshot else [])
        if tips:
            histories.is_whole(self._git, tips, self._have)
        # Commits that the person only fetched are not theirs yet. On a branch of the agent's nobody would look at them.
        self._touched = histories.touched(self._git, histories.new_commits(self._git, tips, self._own) if tips else [])
        branches = tuple(self._branch(ref, found) for ref, found in taken)
        snapshot = None if packed.snapshot is None else self._branch(SNAPSHOT, packed.snapshot)
        head = packed.head if packed.head is not None and packed.head in {ref for ref, _ in packed.refs} else ""
        return Checked(
            quarantine=self._quarantine,
            head=head,
            branches=branches,
            snapshot=snapshot,
            repositories=tuple(sorted(self._repositories)),
            nested=packed.nested,
            left_out=tuple(self._left_out),
        )

    def _taken(self, refs: Iterable[tuple[str, str]], types: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the refs that the person does not have and that may be brought; note of each other one why not."""
        taken: list[tuple[str, str]] = []
        for ref, found in refs:
            if self._is_known(ref, found, types):
                continue
            why = _unfit(ref, found, types) or _clashing(ref, taken)
            if why is None and len(taken) == _MOST_BRANCHES:
                why = f"more than {_MOST_BRANCHES} branches and tags are new"
            if why is None:
                taken.append((ref, found))
            else:
                self._left_out.append((ref, why))
        return taken

    def _is_known(self, ref: str, found: str, types: Mapping[str, str]) -> bool:
        """Say whether the person has a branch or tag there already, or further on."""
        branch, commit = self._start
        if ref == DETACHED:
            return types.get(found) == "commit" and not histories.new_commits(self._git, [found], self._have)
        if ref == branch and commit:
            return found == commit or found == self._person.refs.get(ref)
        theirs = self._person.refs.get(ref)
        if theirs is None or theirs == found:
            return theirs is not None
        is_branch = ref.startswith(HEADS) and types.get(found) == "commit"
        return is_branch and histories.is_forward(self._git, found, theirs)

    def _branch(self, ref: str, tip: str) -> Branch:
        old = self._old(ref)
        commits = histories.new_commits(self._git, [tip], self._have)
        foreign = histories.new_commits(self._git, [tip], self._own) if self._touched else []
        touched = [each for commit in foreign for each in self._touched[commit]]
        refuse_new_names(touched, self._findings)
        self._repositories |= {each.path for each in touched if each.mode == REPOSITORY}
        shown = histories.shown(self._git, commits)
        return Branch(
            ref=ref,
            old=old,
            new=tip,
            forward=old is None or histories.is_forward(self._git, old, f"{tip}^0"),
            commits=shown,
            more=len(commits) - len(shown),
            later=runs_later(touched, self._findings, self._reasons, self._targets(touched)),
        )

    def _old(self, ref: str) -> str | None:
        branch, commit = self._start
        if commit and ref in {branch, DETACHED, SNAPSHOT}:
            return commit
        return self._person.refs.get(ref) if ref.startswith(HEADS) else None

    def _targets(self, touched: Iterable[Touched]) -> dict[str, str]:
        """Return where the links among the changed paths lead, by the id of what holds it."""
        ids = sorted({each.id for each in touched if each.is_link})
        contents = self._quarantine.contents(found.encode() for found in ids) if ids else ()
        return {found: raw.decode("utf-8", "surrogateescape") for found, raw in zip(ids, contents, strict=True)}


def _commits(types: Mapping[str, str]) -> list[str]:
    return [found for found, kind in types.items() if kind in {"commit", "tag"}]


def _unfit(ref: str, found: str, types: Mapping[str, str]) -> str | None:
    kind = types.get(found)
    if kind is None:
        return "its commit is not there"
    if ref == DETACHED or ref.startswith(HEADS):
        if kind != "commit":
            return f"it is a {kind} and no commit"
        return None if ref == DETACHED else problem(ref.removeprefix(HEADS))
    if not ref.startswith(TAGS):
        return "it is neither a branch nor a tag"
    return problem(ref.removeprefix(TAGS)) or (None if kind in {"commit", "tag"} else f"it is a tag of a {kind}")


def _clashing(ref: str, taken: Sequence[tuple[str, str]]) -> str | None:
    other = clash(ref, (each for each, _ in taken))
    return None if other is None else f"its name and {other!r} cannot be side by side everywhere"

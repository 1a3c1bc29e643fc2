"""Carries out what was decided about commits: packed in a container, checked in a quarantine, then brought in.

This room knows no containers. What packs the commits is handed in as a `Packer`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from daemon.audit.log import AuditLog
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.workspaces import decision_records
from daemon.workspaces.commits import branches as refs
from daemon.workspaces.commits.bringing import Incoming, bring_as_branch, bring_forward, free_branch, is_free, notes_of
from daemon.workspaces.commits.commits import CheckBounds, Checked, check
from daemon.workspaces.commits.host_git import HostGit, Repository
from daemon.workspaces.commits.index_lock import recover_index
from daemon.workspaces.commits.packed import read_packed
from daemon.workspaces.commits.person_refs import PersonRefs
from daemon.workspaces.commits.quarantine import discard, is_sha256
from daemon.workspaces.commits.rules import Becomes, Becoming, becoming
from daemon.workspaces.commits.underway import Underway, quarantine_of
from daemon.workspaces.commits.underway_store import UnderwayStore
from daemon.workspaces.decisions import Decision, Left, Mode, Outcome, matches, plan_of_commits
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.opening import reopen
from daemon.workspaces.layers.repository import Git, find
from daemon.workspaces.looking.pointed import read_pointed
from daemon.workspaces.looking.runs_later import reasons
from daemon.workspaces.values import Branch

T = TypeVar("T")
_log = structlog.get_logger("daemon.workspaces")
_MOST_FOUND = 8


class Packer(Protocol):
    """Packs what an agent committed, in a container of its own."""

    async def pack(self, layer: Layer, file: Path, *, have: Collection[str], sha256: bool, snapshot: bool) -> None:
        """Write what the person does not `have` into a new file, with `snapshot` also what was not committed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the agent committed, after every check, and what landing would make of it."""

    checked: Checked | None
    becoming: Becoming
    notes: tuple[str, ...] = ()

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Return the branches and tags that the person does not have."""
        return () if self.checked is None else self.checked.branches


class Commits:
    """Looks at the commits of layers, and lands them. The caller lets one decision at a time work on a layer."""

    def __init__(
        self,
        *,
        layers: Layers,
        packer: Packer,
        audit: AuditLog,
        auto_yes: Sequence[str],
        bounds: CheckBounds,
        faults: FaultPoints = NO_FAULTS,
    ) -> None:
        self._layers = layers
        self._packer = packer
        self._audit = audit
        self._auto_yes = tuple(auto_yes)
        self._bounds = bounds
        self._faults = faults
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="aileron-commits")
        self.underway = UnderwayStore(threads=self._threads, bounds=bounds.git, faults=faults)
        self._found: OrderedDict[tuple[str, str], Found] = OrderedDict()

    def close(self) -> None:
        """Wait for what is being written."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def look(self, layer: Layer) -> Found:
        """Return what the agent committed, and remember that it was shown."""
        found = await self._look(layer, snapshot=False)
        self._found[(layer.session, plan_of_commits(found.branches))] = found
        while len(self._found) > _MOST_FOUND:
            self._found.popitem(last=False)
        return found

    async def as_shown(self, layer: Layer, decision: Decision) -> Found:
        """Return the commits that the person was shown, or raise Failure if they are others now."""
        found = self._found.get((layer.session, decision.commits_plan)) or await self.look(layer)
        if plan_of_commits(found.branches) != decision.commits_plan:
            raise Failure(
                FailureClass.HASH_MISMATCH,
                "The agent's commits are not those that you were shown. Nothing landed; look again.",
                boundary=Boundary.USER,
            )
        # The person's own branch may have moved since.
        return replace(found, becoming=await self._do(partial(_becoming, layer, found.checked)))

    async def begin(self, layer: Layer, decision: Decision, found: Found, left: Sequence[Left]) -> None:
        """Write down what comes in after the files, before they land. `left` are the changes that are not going to."""
        if found.checked is not None and found.branches and not found.becoming.landed:
            await self.underway.begin(layer, self._underway(decision, found.checked, found.becoming), left)

    async def move_branch(self, layer: Layer, decision: Decision, found: Found, outcome: Outcome) -> Outcome:
        """Move the person's branch forward after its files have landed.

        If something that the commits change did not land, or the branch cannot move, the commits stay below
        refs/aileron, and the outcome says why.
        """
        if found.checked is None or not found.branches or found.becoming.landed:
            return outcome
        left = None if decision.paths is not None else {each.path for each in (*outcome.left, *outcome.aside)}
        incoming = await self._incoming(layer, self._underway(decision, found.checked, found.becoming))
        return await self._carry_out(incoming, decision, partial(bring_forward, incoming, outcome, left=left))

    async def make_branch(self, layer: Layer, decision: Decision, *, still: Callable[[], Awaitable[None]]) -> Outcome:
        """Make a branch of everything: the commits, and one more of what was not committed. No file is touched.

        `still` raises Failure if what was packed may not be what the person was shown.
        """
        found = await self._look(layer, snapshot=True)
        await still()
        if found.checked is None:
            raise _usage(f"{layer.work.source} is no repository, so there is nothing to make a branch in.")
        if not found.checked.all():
            raise _usage(
                "There is nothing that could become a branch: no commit, and nothing that git does not ignore."
            )
        coming = self._underway(decision, found.checked, found.becoming)
        incoming = await self._incoming(layer, coming)
        # The name is chosen once, so that a landing that is finished after a cut makes no second branch.
        named = replace(decision, branch=decision.branch or await self._do(partial(free_branch, incoming)))
        await self.underway.begin(layer, replace(coming, decision=named, files_landed=True))
        return await self._carry_out(incoming, named, partial(bring_as_branch, incoming, named))

    async def finish(self, layer: Layer, coming: Underway) -> Outcome:
        """Bring in the commits of a landing that was cut off after its files had landed; raise Failure, OSError."""
        incoming = await self._incoming(layer, coming)
        decision = coming.decision
        if decision.mode is Mode.BRANCH or (coming.becoming.kind is Becomes.BRANCH and decision.paths is None):
            bring = partial(bring_as_branch, incoming, decision)
            return await self._carry_out(incoming, decision, bring, after_cut=True)
        left = None if decision.paths is not None else set(coming.left)
        outcome = Outcome(session=layer.session, mode=decision.mode)
        bring = partial(bring_forward, incoming, outcome, left=left)
        return await self._carry_out(incoming, decision, bring, after_cut=True)

    async def unlock(self, layer: Layer) -> None:
        """Remove the lock that a killed landing left on the index of the person's repository."""
        try:
            await self._do(partial(_unlock, layer))
        except (Failure, OSError) as problem:
            _log.error("the lock of a landing that was cut off stays", session=layer.session, why=str(problem))

    async def forget(self, layer: Layer) -> None:
        """Remove what lies below refs/aileron of a session, and the quarantine."""
        self._found = OrderedDict((key, each) for key, each in self._found.items() if key[0] != layer.session)
        await self._do(partial(_forget, layer))

    def _underway(self, decision: Decision, checked: Checked, found: Becoming) -> Underway:
        yes_to = self._yes_to(decision, checked.all())
        return Underway(decision=decision, checked=checked, becoming=found, yes_to=yes_to)

    async def _incoming(self, layer: Layer, coming: Underway) -> Incoming:
        repository = await self._do(partial(repository_of, layer))
        if repository is None:
            raise _usage(f"{layer.work.source} is no repository any more.")
        return Incoming(
            layer=layer,
            repository=repository,
            checked=coming.checked,
            becoming=coming.becoming,
            yes_to=coming.yes_to,
            faults=self._faults,
        )

    async def _carry_out(
        self, incoming: Incoming, decision: Decision, bring: Callable[[], Outcome], *, after_cut: bool = False
    ) -> Outcome:
        """Log what is about to come in, let it come in, and log where it is; then nothing is under way any more.

        After a Failure nothing is under way either: the person is told of it, so no later start may finish it. But if
        the daemon ends, what is under way stays written down.
        """
        layer = incoming.layer
        try:
            await self._audit.append(decision_records.landing_started(layer, decision, incoming.checked.all()))
        except Failure:
            await self.underway.over(layer)
            raise
        try:
            outcome = await self._do(bring)
        except Failure as failure:
            await self.underway.over(layer)
            await self._audit.append(decision_records.landing_failed(layer, decision, failure.message))
            raise
        self._faults.hit("commits.moved")
        tip = incoming.becoming.tip
        if outcome.moved and tip is not None:
            # What the agent commits from here on is compared with where the person is now.
            await self._do(partial(self._layers.change, layer.session, start=replace(layer.start, commit=tip.new)))
        await self._audit.append(decision_records.landed(layer, decision, outcome, after_cut=after_cut))
        self._faults.hit("commits.recorded")
        await self.underway.over(layer)
        return outcome

    async def _look(self, layer: Layer, *, snapshot: bool) -> Found:
        # A layer has one quarantine, which is made anew here. What an earlier look found is not in it any more.
        self._found = OrderedDict((key, each) for key, each in self._found.items() if key[0] != layer.session)
        repository = await self._do(partial(repository_of, layer))
        if repository is None:
            return Found(checked=None, becoming=Becoming(kind=Becomes.NOTHING))
        have, sha256 = await self._do(partial(_what_is_there, repository))
        file = layer.folder / "packed"
        try:
            await self._packer.pack(layer, file, have=have, sha256=sha256, snapshot=snapshot)
            checked = await self._do(partial(self._check, layer, repository, file))
        finally:
            await self._do(partial(file.unlink, missing_ok=True))
        found = await self._do(partial(_becoming, layer, checked))
        return Found(checked=checked, becoming=found, notes=notes_of(checked))

    def _check(self, layer: Layer, repository: Repository, file: Path) -> Checked:
        with reopen(layer.work) as person:
            pointed = read_pointed(person.path, person.descriptor)
        return check(
            repository,
            read_packed(file),
            quarantine_of(layer),
            start_branch=layer.start.branch,
            start_commit=layer.start.commit,
            reasons=lambda path, entry, before: reasons(path, entry, pointed, before=before),
            bounds=self._bounds,
        )

    def _yes_to(self, decision: Decision, branches: Sequence[Branch]) -> frozenset[str]:
        """Return which paths that would run later may come in as commits."""
        if decision.mode is not Mode.AUTO and decision.yes_to:
            return decision.yes_to
        if decision.mode is not Mode.AUTO:
            return frozenset()
        paths = {path for each in branches for path, _ in each.later}
        return frozenset(path for path in paths if any(matches(path, pattern) for pattern in self._auto_yes))

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def repository_of(layer: Layer) -> Repository | None:
    """Return the person's repository that a layer is over; None if it is over none."""
    work = Path(layer.work.source)
    found = find(work)
    if not isinstance(found, Git) or found.top != work:
        return None
    return Repository(git_dir=found.folder, common_dir=found.common)


def _becoming(layer: Layer, checked: Checked | None) -> Becoming:
    repository = repository_of(layer)
    if checked is None or repository is None:
        return Becoming(kind=Becomes.NOTHING)
    person = PersonRefs.read(repository)
    return becoming(
        head=checked.head,
        branches=checked.branches,
        checked_out=person.head,
        at=person.commit,
        is_free=partial(is_free, repository),
        agent=layer.agent,
        session=layer.session,
    )


def _what_is_there(repository: Repository) -> tuple[list[str], bool]:
    return sorted(PersonRefs.read(repository).all()), is_sha256(HostGit.of(repository))


def _unlock(layer: Layer) -> None:
    repository = repository_of(layer)
    if repository is not None:
        recover_index(repository)


def _forget(layer: Layer) -> None:
    discard(quarantine_of(layer))
    repository = repository_of(layer)
    if repository is not None:
        refs.remove_refs(repository, layer.session)


def _usage(message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)

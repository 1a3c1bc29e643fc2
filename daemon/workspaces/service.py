"""The layers of this daemon: what changed in each, and how a person's decision about it is carried out.

Everything that reads or writes folders runs on threads of this room. One decision at a time is carried out for a layer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.workspaces.carrying_out import Files
from daemon.workspaces.commits.committing import Commits, Found
from daemon.workspaces.commits.rules import Becomes
from daemon.workspaces.cut_landings import settle_cut
from daemon.workspaces.decisions import (
    Choice,
    Decision,
    DecisionError,
    How,
    Left,
    Mode,
    Outcome,
    changed_since,
    choose,
    is_chosen,
    plan_of,
)
from daemon.workspaces.last_landing import said_of, said_of_failure
from daemon.workspaces.layers.layer import Layer, State
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.signs import signs_of
from daemon.workspaces.looking import filing
from daemon.workspaces.told import changes_json, commits_json, difference_json, layer_json
from daemon.workspaces.values import Change, Changes

_log = structlog.get_logger("daemon.workspaces")
T = TypeVar("T")
_MOST_SHOWN = 32
"""How many looks are remembered. A decision about an older look lands only if nothing has changed since."""
_MOST_NAMED = 10


class Workspaces:
    """Shows what agents changed, and lands or throws away what a person decides."""

    def __init__(self, *, layers: Layers, files: Files, commits: Commits, auto_yes: Sequence[str] = ()) -> None:
        self._layers = layers
        self._files = files
        self._commits = commits
        self._auto_yes = tuple(auto_yes)
        self._threads = ThreadPoolExecutor(3, thread_name_prefix="aileron-landing")
        self._discarded: set[str] = set()
        """Sessions whose layer was thrown away since this daemon started. Nothing else is left of these layers."""
        self._busy: dict[str, asyncio.Lock] = {}
        self._landing: set[str] = set()
        """The sessions of which something is landing at this moment."""
        self._shown: OrderedDict[tuple[str, str], Changes] = OrderedDict()

    def say_yes_to(self, paths: Sequence[str]) -> None:
        """Take another list of what lands without a question although it would run later."""
        self._auto_yes = tuple(paths)

    async def list(self) -> list[dict[str, Any]]:
        """Return every layer that was not thrown away, the newest first, and those whose record cannot be used."""
        found = await self._do(self._layers.all)
        standing = [self._told(each) for each in found.layers if each.state is not State.DISCARDED]
        return standing + [{"session": name, "state": "unreadable", "problem": why} for name, why in found.unreadable]

    async def show(self, session: str) -> dict[str, Any]:
        """Return one layer."""
        return self._told(await self._layer(session))

    async def changes(self, session: str, *, counted: bool = True, by_person: bool = True) -> dict[str, Any]:
        """Return what differs from the person's folder; a person who saw it may have it removed by age later."""
        layer, seen = await self._look(session, by_person=by_person)
        lines = await self._of(layer, partial(filing.compare, layer, seen.items, lines=False)) if counted else ()
        return changes_json(layer, seen, lines, signs=await self._of(layer, partial(signs_of, layer)))

    async def difference(self, session: str, paths: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the differences, safe to show, with the digest of what they are of; what would run later comes first.

        A file that is not any more what was looked at has no lines, so what is shown is what the digest means.
        """
        layer, seen = await self._look(session, by_person=True)
        shown = [each for each in seen.items if not paths or is_chosen(each.path, paths)]
        return difference_json(layer, seen, await self._of(layer, partial(filing.compare, layer, shown)))

    async def content(self, session: str, path: str) -> bytes:
        """Return a regular file of the agent's side."""
        layer = await self._layer(session)
        return await self._of(layer, partial(filing.content, layer, path))

    async def commits(self, session: str) -> dict[str, Any]:
        """Return what the agent committed, and what a yes would make of it."""
        async with self._held(session) as layer:
            found = await self._commits.look(layer)
        return commits_json(found.branches, becomes=found.becoming.words, notes=found.notes)

    async def land(self, session: str, decision: Decision) -> Outcome:
        """Carry out a decision, or raise Failure when something is not as it was shown; then nothing was changed.

        Once begun it goes on to its end, also if whoever asked has gone away.
        """
        return await asyncio.shield(asyncio.ensure_future(self._land_and_note(session, decision)))

    async def _land_and_note(self, session: str, decision: Decision) -> Outcome:
        """Land, and keep what came of it: whoever asked may not be there any more to read the answer."""
        async with self._held(session) as layer:
            self._landing.add(layer.session)
            try:
                outcome = await self._land(layer, decision)
                await self._note(layer, said_of(outcome))
            except Failure as failure:
                await self._note(layer, said_of_failure(failure.message))
                raise
            finally:
                self._landing.discard(layer.session)
        return outcome

    async def _note(self, layer: Layer, said: str, *, cut_off: bool = False) -> None:
        try:
            await self._do(partial(self._layers.note_landing, layer.session, said, cut_off=cut_off))
        except (Failure, OSError) as problem:
            _log.error("what became of a landing could not be kept", session=layer.session, why=str(problem))

    async def _land(self, layer: Layer, decision: Decision) -> Outcome:
        now = await self._of(layer, partial(filing.look, layer))
        shown = self._shown_as(layer, decision, now)
        found = await self._commits.as_shown(layer, decision) if decision.commits_plan else None
        choice = _chosen(shown, decision, self._auto_yes, found)
        if decision.mode is Mode.BRANCH or _is_for_a_branch(found, decision):
            _as_shown(shown.items, now, layer)
            return await self._commits.make_branch(layer, decision, still=partial(self._still, layer, shown))
        standing = _as_shown(choice.take, now, layer)
        outcome = await self._land_files(layer, decision, standing, choice.left, found)
        outcome = replace(outcome, notes=(*outcome.notes, *_news(shown, now)))
        if found is None:
            return outcome
        return await self._commits.move_branch(await self._layer(layer.session), decision, found, outcome)

    async def _land_files(
        self, layer: Layer, decision: Decision, take: Sequence[Change], left: Sequence[Left], found: Found | None
    ) -> Outcome:
        if found is None:
            return await self._files.land(layer, decision, take, left)
        await self._commits.begin(layer, decision, found, left)
        try:
            landed = partial(self._commits.underway.files_landed, layer)
            return await self._files.land(layer, decision, take, left, landed=landed)
        except Failure:
            await self._commits.underway.call_off(layer)
            raise

    async def discard(self, session: str, *, by: Principal, how: How) -> dict[str, Any]:
        """Throw a layer away, with the agent's commits below refs/aileron; a second time nothing is changed."""
        told = {"session": session, "state": State.DISCARDED.value}
        if session in self._discarded:
            return told
        async with self._held(session) as layer:
            if layer.state is State.OPEN:
                raise _refused(f"The agent of {layer.session} is still at work. End its launch first.")
            await self._files.note_discarded(layer, by=by, how=how.value, changes=None)
            await self._commits.forget(layer)
            await self._do(partial(self._layers.discard, layer.session))
            self._discarded |= {session, layer.session}
        return told

    async def take_up(self) -> int:
        """Take up what an earlier daemon left, before anything may land; return how many layers it had left open.

        A landing that was cut off is undone or finished first: it is a change of the folder, and of the layer's record.
        """
        for layer in (await self._do(self._layers.all)).layers:
            if layer.state is not State.DISCARDED:
                said = await settle_cut(layer, self._files, self._commits)
                if said:
                    await self._note(layer, said, cut_off=True)
        return len(await self._do(self._layers.recover))

    def close(self) -> None:
        """Wait for what is being written."""
        self._files.close()
        self._commits.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _of(self, layer: Layer, work: Callable[[], T]) -> T:
        """Look at the files of a layer; raise Failure if it was removed or resumed while they were looked at."""
        try:
            return await self._do(work)
        except FileNotFoundError as problem:
            if layer.folder.is_dir():
                raise
            message = f"The workspace of {layer.session} was removed or resumed meanwhile. See `aileron session list`."
            raise Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.USER) from problem

    def _told(self, layer: Layer) -> dict[str, Any]:
        return layer_json(layer, landing_now=layer.session in self._landing)

    async def _layer(self, session: str) -> Layer:
        layer = await self._do(partial(self._layers.get, session))
        if layer.state is State.DISCARDED:  # it is being removed
            raise Failure(
                FailureClass.NOT_FOUND, f"The workspace of {session} was thrown away.", boundary=Boundary.USER
            )
        return layer

    @asynccontextmanager
    async def _held(self, session: str) -> AsyncIterator[Layer]:
        """Let nobody else decide about a layer meanwhile; several sessions may name one that was resumed."""
        layer = await self._layer(session)
        async with self._busy.setdefault(layer.session, asyncio.Lock()):
            yield await self._layer(session)

    async def _look(self, session: str, *, by_person: bool) -> tuple[Layer, Changes]:
        layer = await self._layer(session)
        seen = await self._of(layer, partial(filing.look, layer))
        self._remember(layer, seen)
        if by_person and not layer.looked_at:
            layer = await self._do(partial(self._layers.change, layer.session, looked_at=True))
        return layer, seen

    async def _still(self, layer: Layer, shown: Changes) -> None:
        """Raise Failure if an agent that is at work has changed anything since it was shown."""
        if layer.state is State.OPEN:
            now = await self._of(layer, partial(filing.look, layer))
            _as_shown(shown.items, now, layer)
            if _news(shown, now):
                raise _changed("The agent changed more while this was packed. Nothing landed; look again.")

    def _remember(self, layer: Layer, seen: Changes) -> None:
        key = (layer.session, plan_of(seen))
        self._shown[key] = seen
        self._shown.move_to_end(key)
        while len(self._shown) > _MOST_SHOWN:
            self._shown.popitem(last=False)

    def _shown_as(self, layer: Layer, decision: Decision, now: Changes) -> Changes:
        """Return the changes that the person was shown; only those land."""
        shown = self._shown.get((layer.session, decision.plan))
        if shown is not None:
            return shown
        if plan_of(now) != decision.plan:
            raise _changed("The workspace is not as it was when you looked. Nothing landed; look again.")
        return now


def _is_for_a_branch(found: Found | None, decision: Decision) -> bool:
    """Whether the commits cannot go where the person is; then all of it becomes a branch, and the folder is left."""
    return found is not None and found.becoming.kind is Becomes.BRANCH and decision.paths is None


def _chosen(shown: Changes, decision: Decision, auto_yes: Sequence[str], found: Found | None) -> Choice:
    in_commits = () if found is None else [path for each in found.branches for path, _ in each.later]
    try:
        return choose(shown, decision, auto_yes=auto_yes, in_commits=in_commits)
    except DecisionError as problem:
        raise _refused(str(problem)) from problem


def _as_shown(take: Sequence[Change], now: Changes, layer: Layer) -> tuple[Change, ...]:
    standing, other = changed_since(take, {each.path: each for each in now.items}, layer.landed)
    if other:
        named = ", ".join(repr(path) for path in other[:_MOST_NAMED])
        more = f" and {len(other) - _MOST_NAMED} more" if len(other) > _MOST_NAMED else ""
        raise _changed(f"Not as it was when you looked: {named}{more}. Nothing landed; look again.")
    return standing


def _news(shown: Changes, now: Changes) -> tuple[str, ...]:
    new = {each.path for each in now.items} - {each.path for each in shown.items}
    return (f"{len(new)} more paths changed after you looked; they did not land.",) if new else ()


def _refused(message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)


def _changed(message: str) -> Failure:
    return Failure(FailureClass.HASH_MISMATCH, message, boundary=Boundary.USER)

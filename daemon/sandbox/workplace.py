"""Where an agent works: what is open of the person's folder, the layer over it, and what is mounted of both."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import structlog

from daemon.base.opening import opened_on
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.launch_request import WorkspaceWay
from daemon.core.visible import visible
from daemon.sandbox import live, volumes
from daemon.sandbox.engine import Engine
from daemon.sandbox.volumes import Mounted
from daemon.workspaces.layers import copying
from daemon.workspaces.layers.layer import Layer, State
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.opening import Opened, open_folder, refused
from daemon.workspaces.layers.quota import Bounds
from daemon.workspaces.layers.site import Site, resurvey, survey
from daemon.workspaces.layers.walking import allocated
from daemon.workspaces.values import Way

T = TypeVar("T")

_log = structlog.get_logger("daemon.sandbox")
_THREADS = 6
_MOST_NAMED = 5
_TRIES = 20
_PAUSE_SECONDS = 0.05
_PAUSE_OF_WATCH = 1.0


@dataclass(slots=True, kw_only=True)
class Workplace:
    """One agent's place of work.

    surveyed -> begun (it has a layer, and a session) -> ended, by `Workplaces.end`; or dropped before it was begun.
    """

    site: Site
    way: Way
    resumed: Layer | None = None
    """The layer of an ended session that goes on in this one."""
    layer: Layer | None = None
    """None before it was begun, and for an agent that works on the folder itself."""
    started: bool = False
    """The agent ran. Otherwise a layer that was made for it goes."""
    notes: list[str] = field(default_factory=list)
    held: dict[str, tuple[Opened, Opened]] = field(default_factory=dict)
    """The upper folder and the kernel's own of each part, held open while they are mounted."""
    protected: live.Protected | None = None
    """What is kept from an agent that works on the folder itself."""
    progress: copying.Progress = field(default_factory=copying.Progress)

    @property
    def folder(self) -> Path:
        """Return the folder that the person launched in."""
        return self.site.work.path / self.site.subfolder

    @property
    def told(self) -> list[str]:
        """Return what the person must know. A copy has what is mounted in the folder; the other ways do not."""
        unseen = self.site.mounted
        if not unseen or self.way is Way.COPY:
            return self.notes
        named = ", ".join(visible(str(place)) for place in unseen[:_MOST_NAMED])
        more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
        return [*self.notes, f"The agent does not see what is mounted in this folder: {named}{more}."]

    @property
    def read_only(self) -> list[str]:
        """Return what must prove to be read-only inside."""
        if self.protected is not None:
            return [each.inside for each in self.protected.mounts if each.read_only]
        return [each.inside for each in self.site.borrowed]

    def earlier_user(self, *, rootless: bool) -> str | None:
        """Return as whom the agent of the session ran that is resumed; None for a new one."""
        return None if self.resumed is None or rootless else self.resumed.user


class Workplaces:
    """Opens, begins and ends them; everything that blocks runs on threads of its own."""

    def __init__(self, *, layers: Layers, engine: Engine, off_limits: OffLimits, bounds: Bounds) -> None:
        self.layers = layers
        self._engine = engine
        self._off_limits = off_limits
        self._bounds = bounds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="aileron-workspace")
        self._engine_is_here: bool | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Run something that blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Take no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def open(self, folder: Path, way: WorkspaceWay, engine: dict[str, Any]) -> Workplace:
        """Open a folder for an agent, or raise Failure."""
        return await opened_on(self._threads, lambda: self._open(folder, way, engine), close=self.drop)

    async def reopen(self, session: str) -> Workplace:
        """Open again what an ended session worked on, or raise Failure."""
        return await opened_on(self._threads, lambda: self._reopen(session), close=self.drop)

    async def begin(self, place: Workplace, session: str, *, agent: str, label: str, user: str) -> None:
        """Make the layer, or take up the one that is resumed; copy what must be copied."""
        await self.run(lambda: self._begin(place, session, agent, label, user))
        if place.way is Way.COPY and place.resumed is None:
            await self.run(lambda: self._copy(place))

    async def mounts(self, place: Workplace, session: str, *, anchor: str, copies: Path) -> list[Mounted]:
        """Return what is mounted for an agent; turns to a copy where the engine does not see our processes.

        `copies` is a folder that is made for copies of files, and goes with the sandbox.
        """
        if place.way is Way.OVERLAY and not await self._is_here(anchor):
            await self.copy_instead(place, "this engine does not see the processes of this machine")
        if place.way is Way.LIVE:
            if not await self._is_here(anchor):
                raise refused("This engine does not see the processes of this machine: no --workspace live.")
            place.protected = await self.run(lambda: live.protect(place.site, session, copies))
            place.notes.extend(place.protected.notes)
            return place.protected.mounts
        return list(_mounts(place, session))

    async def copy_instead(self, place: Workplace, why: str) -> None:
        """Turn an overlay that cannot be mounted to a copy, and note why."""
        if place.resumed is not None:
            raise refused(f"The workspace of {place.resumed.session} cannot be mounted any more: {why}.")
        place.notes.append(f"{place.folder} was copied for the agent, because {why}.")
        _close_held(place.held)
        await self.run(lambda: self._turn_to_copy(place))

    async def end(self, place: Workplace) -> dict[str, Any]:
        """Close what was opened, and return what the person is told; the layer is kept if anything was written."""
        place.progress.stopped = True
        return await self.run(lambda: self._end(place))

    async def watch(self, place: Workplace) -> str:
        """Measure what is written until it is too much, and say so; never for one that works on the folder itself."""
        layer = place.layer
        if layer is None:
            await asyncio.Event().wait()
            return ""
        begun = await self.run(lambda: _written(layer)) if layer.way is Way.COPY else 0
        written, due, free_then = 0, time.monotonic(), 0
        while True:
            free = await self.run(self.layers.free)  # cheap, so it is looked at every time
            started = time.monotonic()
            if started >= due or self._bounds.may_be_near(written=written, taken_since=free_then - free):
                written = await self.run(lambda: _written(layer)) - begun
                took = time.monotonic() - started
                due, free_then = started + self._bounds.pause(written=written, took_seconds=took), free
            problem = self._bounds.problem(written=written, free=free)
            if problem:
                return problem
            await asyncio.sleep(_PAUSE_OF_WATCH)

    def drop(self, place: Workplace) -> None:
        """Close the folders of one that was never begun."""
        place.site.close()

    async def _is_here(self, anchor: str) -> bool:
        for _ in range(_TRIES):
            if self._engine_is_here is not None:
                break
            self._engine_is_here = await self._engine.call(lambda client: volumes.shares_processes(client, anchor))
            if self._engine_is_here is None:
                await asyncio.sleep(_PAUSE_SECONDS)
        return bool(self._engine_is_here)

    def _open(self, folder: Path, wanted: WorkspaceWay, engine: dict[str, Any]) -> Workplace:
        if self.layers.free() < self._bounds.spare:
            message = "The disk of the workspaces is nearly full. Make room, or lower `spare` under [workspace]."
            raise Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.SANDBOX)
        site = survey(folder, self._off_limits)
        try:
            way, why = choose(wanted, engine, self.layers.supports_overlay)
        except BaseException:
            site.close()
            raise
        place = Workplace(site=site, way=way, notes=list(site.notes))
        if why:
            place.notes.append(f"{place.folder} is copied for the agent, because {why}.")
        if way is Way.LIVE:
            place.notes.append(live.RISK)
        return place

    def _reopen(self, session: str) -> Workplace:
        layer = self.layers.get(session)
        if layer.state is not State.ENDED:
            raise refused(f"The sandbox of {session} still runs, so it cannot be resumed.")
        site = resurvey(layer.parts, layer.subfolder, self._off_limits)
        return Workplace(site=site, way=layer.way, resumed=layer, notes=list(site.notes))

    def _begin(self, place: Workplace, session: str, agent: str, label: str, user: str) -> None:
        if place.way is Way.LIVE:
            return
        if place.resumed is None:
            place.layer = self.layers.create(session, place.site, agent=agent, label=label, way=place.way, user=user)
        else:
            self.layers.go_on(place.resumed.session, session)
            place.layer = self.layers.change(session, agent=agent, label=label)
        if place.way is Way.OVERLAY:
            for part in place.layer.parts:
                place.held[part.name] = _both(place.layer.upper(part), place.layer.scratch(part))

    def _turn_to_copy(self, place: Workplace) -> None:
        if place.layer is None:
            raise RuntimeError("a workplace that was not begun has nothing to copy to")
        place.way = Way.COPY
        place.layer = self.layers.turn_to_copy(place.layer.session, place.site)
        self._copy(place)

    def _copy(self, place: Workplace) -> None:
        if place.layer is None:
            raise RuntimeError("a workplace that was not begun has nothing to copy to")
        place.notes.extend(copying.copy_site(place.site, place.layer, place.progress, spare=self._bounds.spare))

    def _end(self, place: Workplace) -> dict[str, Any]:
        place.progress.idle.wait()
        _close_held(place.held)
        told: dict[str, Any] = {"workspace": {"way": place.way.value, "kept": False}}
        if place.protected is not None:
            told |= live.look_through(place.site, place.protected)
            place.protected.close()
        place.site.close()
        if place.layer is not None:
            told["workspace"]["kept"] = self._end_layer(place, place.layer.session)
        return told

    def _end_layer(self, place: Workplace, session: str) -> bool:
        """End a layer, and say whether it is kept. A disk that fails must not keep the session from ending."""
        try:
            if place.started or place.resumed is not None:
                return self.layers.end(session) is not None
            self.layers.remove(session)
        except Failure as failure:
            _log.warning("the workspace of a session could not be ended", session=session, reason=failure.message)
        except OSError as problem:
            _log.error("a workspace stays open until the next start", session=session, reason=str(problem))
            return True
        return False


def choose(wanted: WorkspaceWay, engine: dict[str, Any], obstacle: Callable[[], str]) -> tuple[Way, str]:
    """Return how a workspace is made, and why it is a copy where the person did not ask for one."""
    if wanted == "copy":
        return Way.COPY, ""
    other = "runs in a machine of its own" if engine["desktop"] else "is rootless" if engine["rootless"] else ""
    if wanted == "live":
        if other:
            raise refused(f"This engine {other}, so there is no --workspace live. Leave it away.")
        return Way.LIVE, ""
    if other:
        return Way.COPY, f"this engine {other}"
    why = obstacle()
    return (Way.COPY, why) if why else (Way.OVERLAY, "")


def _mounts(place: Workplace, session: str) -> Iterator[Mounted]:
    if place.layer is None:
        raise RuntimeError("a workplace that was not begun has nothing to mount")
    lower = dict(place.site.opened())
    for part in place.layer.parts:
        name = f"aileron-{session}-{part.name}"
        if place.way is Way.OVERLAY:
            upper, scratch = place.held[part.name]
            yield volumes.overlay(name, lower=lower[part.name], upper=upper, scratch=scratch, inside=part.inside)
        else:
            # It lies in our own home, where nobody else can put another folder in its place.
            yield Mounted(source=str(place.layer.upper(part)), inside=part.inside, bind=True)
    for number, each in enumerate(place.site.borrowed):
        if place.way is Way.OVERLAY:
            name = f"aileron-{session}-borrowed-{number}"
            yield volumes.folder(name, each.opened, inside=each.inside, read_only=True)
        else:
            yield Mounted(source=str(place.layer.borrowed(number)), inside=each.inside, read_only=True, bind=True)


def _written(layer: Layer) -> int:
    return sum(allocated(layer.upper(part)) for part in layer.parts)


def _both(upper: Path, scratch: Path) -> tuple[Opened, Opened]:
    opened = open_folder(upper)
    try:
        return opened, open_folder(scratch)
    except BaseException:
        opened.close()
        raise


def _close_held(held: dict[str, tuple[Opened, Opened]]) -> None:
    for pair in held.values():
        for opened in pair:
            opened.close()
    held.clear()

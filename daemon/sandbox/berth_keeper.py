"""Hands out berths, and keeps a spare one, so that the next launch does not wait for a network and its containers.

A spare berth depends neither on the agent nor on the workspace. The next launch takes it, with the session id that was
drawn for it. If no launch comes for a while, it is removed.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import structlog

from daemon.core.failures import Failure
from daemon.sandbox import engine_calls
from daemon.sandbox.berth import Berth
from daemon.sandbox.berth_maker import BerthMaker
from daemon.sandbox.engine import Engine

_log = structlog.get_logger("daemon.sandbox")
_AGAIN_SECONDS = 5.0


class BerthKeeper:
    """Has berths made and removed, and keeps at most one spare."""

    def __init__(
        self,
        *,
        engine: Engine,
        maker: BerthMaker,
        folder: Path,
        draw_session: Callable[[], str],
        ready_seconds: float,
    ) -> None:
        self._engine = engine
        self._maker = maker
        self._folder = folder
        self._draw_session = draw_session
        self._ready_seconds = ready_seconds
        self._begun: set[str] = set()
        self._spare: Berth | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._clearing: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def is_ours(self, session: str) -> bool:
        """Say whether this daemon began it. What it did not begin, an earlier daemon left."""
        return session in self._begun

    def reserve(self, image: str, *, outside: bool) -> Berth:
        """Return the spare berth, or begin to make one."""
        if self._spare is not None and not outside:
            return self._give_away()
        return self._begin(image, outside=outside, ahead=False)

    async def wait_until_made(self, berth: Berth, image: str) -> None:
        """Wait until a berth is made. A spare one whose anchor has ended meanwhile is made anew."""
        if not berth.ahead:
            await _finished(berth.made)
            return
        try:
            await _finished(berth.made)
            await _finished(berth.closed)
            if await self._engine.call(lambda client: engine_calls.is_running(client, berth.anchor)):
                return
        except Failure as failure:
            _log.warning("a berth is made anew", session=berth.session, reason=failure.message)
        await self.clear(berth)
        berth.ahead = False
        berth.made = self._making(berth, image)
        await _finished(berth.made)

    def keep_ready(self, image: str) -> None:
        """Make a spare berth for the next launch, if there is none, and keep it for a while from now on."""
        if self._ready_seconds <= 0:
            return
        if self._spare is None:
            self._spare = self._begin(image, outside=False, ahead=True)
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(self._ready_seconds, self.give_up_spare)

    def give_up_spare(self) -> None:
        """Remove the spare berth."""
        if self._spare is not None:
            self.drop(self._give_away())

    def drop(self, berth: Berth) -> None:
        """Remove a berth that has no sandbox in it, without waiting for that."""
        task = asyncio.get_running_loop().create_task(self._clear_unused(berth))
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    async def empty(self) -> None:
        """Remove the spare berth, and wait until it is gone."""
        self.give_up_spare()
        if self._clearing:
            await asyncio.wait(self._clearing)

    async def close(self) -> None:
        """Remove everything. What cannot be removed while the engine is away, the next daemon sweeps."""
        self._closing.set()
        await self.empty()

    async def clear(self, berth: Berth) -> None:
        """Remove a berth with everything in it; raise Failure while the engine cannot be reached."""
        for task in (berth.made, berth.closed):
            if task is not None:
                await asyncio.wait({task})  # what is being made cannot be removed
        berth.made = berth.closed = None
        await self._maker.clear(berth)

    def _give_away(self) -> Berth:
        berth, self._spare = self._spare, None
        if berth is None:
            raise RuntimeError("there is no berth to give away")
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        return berth

    async def _clear_unused(self, berth: Berth) -> None:
        while True:
            try:
                await self.clear(berth)
            except Failure as failure:
                if self._closing.is_set():
                    return
                _log.warning("a berth cannot be removed yet", session=berth.session, reason=failure.message)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), _AGAIN_SECONDS)
            else:
                shutil.rmtree(berth.folder, ignore_errors=True)
                return

    def _begin(self, image: str, *, outside: bool, ahead: bool) -> Berth:
        session = self._draw_session()
        self._begun.add(session)
        berth = Berth(session=session, folder=self._folder / session, outside=outside, ahead=ahead)
        berth.made = self._making(berth, image)
        return berth

    def _making(self, berth: Berth, image: str) -> "asyncio.Task[None]":
        async def make() -> None:
            berth.closed = await self._maker.make(berth, image)
            if berth.closed is not None:
                berth.closed.add_done_callback(self._seen)

        task = asyncio.get_running_loop().create_task(make(), name=f"make {berth.session}")
        task.add_done_callback(self._seen)
        return task

    def _seen(self, task: "asyncio.Task[None]") -> None:
        """Log a task that failed. If it made the spare berth, that berth is given up, so that no launch takes it."""
        if task.cancelled() or task.exception() is None:
            return
        _log.warning("a berth could not be made", task=task.get_name(), reason=str(task.exception()))
        spare = self._spare
        if spare is not None and task in (spare.made, spare.closed):
            self.give_up_spare()


async def _finished(task: "asyncio.Task[None] | None") -> None:
    """Wait for a task. If the waiting is cancelled, the task goes on."""
    if task is not None:
        await asyncio.shield(task)

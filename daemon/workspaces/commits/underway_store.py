"""Keeps what is written down of commits that are coming in, for all layers, and reads it after a cut.

Whoever calls lets one decision at a time work on a layer.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from daemon.base.faults import FaultPoints
from daemon.core.failures import Failure
from daemon.workspaces.commits import underway
from daemon.workspaces.commits.host_git import Bounds
from daemon.workspaces.commits.underway import Underway, after_cut
from daemon.workspaces.decisions import Left, Outcome
from daemon.workspaces.landed import CutOff, Ending
from daemon.workspaces.layers.layer import Layer

T = TypeVar("T")


class UnderwayStore:
    """Writes down how far a landing with commits is, each time before the next step begins."""

    def __init__(self, *, threads: Executor, bounds: Bounds, faults: FaultPoints) -> None:
        self._threads = threads
        self._bounds = bounds
        self._faults = faults

    async def begin(self, layer: Layer, coming: Underway, left: Sequence[Left] = ()) -> None:
        """Write down what comes in, before anything lands. `left` are the changes that are not going to land."""
        await self._do(partial(replace(coming, left=tuple(each.path for each in left)).write, layer))
        self._faults.hit("commits.written_down")

    async def files_landed(self, layer: Layer, outcome: Outcome) -> None:
        """Write down that the files have landed, so that the commits follow also if the daemon is killed."""
        coming = await self.read(layer)
        if coming is not None:
            left = tuple(each.path for each in (*outcome.left, *outcome.aside))
            coming = replace(coming, files_landed=True, left=left, files=len(outcome.landed))
            await self._do(partial(coming.write, layer))
            self._faults.hit("commits.files_landed")

    async def files_settled(self, layer: Layer, cut: CutOff) -> None:
        """Write down that a start has finished the files of a landing that was cut off, so that the commits follow."""
        try:
            coming = await self.read(layer)
        except Failure:
            return  # the files are settled all the same; whoever brings in the commits gets the same Failure
        if coming is not None and cut.ending is Ending.FINISHED and not coming.files_landed:
            await self._do(partial(after_cut(coming, cut.landed).write, layer))
            self._faults.hit("commits.files_landed")

    async def read(self, layer: Layer) -> Underway | None:
        """Return what is under way; after a start, what was cut off. None for nothing. Raise Failure, OSError."""
        return await self._do(partial(Underway.read, layer, self._bounds))

    async def call_off(self, layer: Layer) -> None:
        """Let no commit come in, because no file landed. If the files are not settled yet, the next start decides."""
        if not layer.journal.exists():
            await self.over(layer)

    async def over(self, layer: Layer) -> None:
        """Remove what is written down, because nothing is left to do."""
        await self._do(partial(underway.remove, layer))

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

"""What this room does by itself: removes what an earlier daemon left, and workspaces that are old or too large."""

import asyncio

import structlog

from daemon.core.failures import Failure
from daemon.sandbox.packing import Packing
from daemon.sandbox.service import Sandboxes
from daemon.sandbox.workplace import Workplaces

_SWEEP_AGAIN_SECONDS = 10.0
_TIDY_SECONDS = 3600.0

_log = structlog.get_logger("daemon.sandbox")


class Upkeep:
    """Two tasks that whoever puts the daemon together starts, and ends with it."""

    def __init__(
        self, sandboxes: Sandboxes, packing: Packing, workplaces: Workplaces, *, keep_seconds: float, room: int
    ) -> None:
        self._sandboxes = sandboxes
        self._packing = packing
        self._workplaces = workplaces
        self._keep_seconds = keep_seconds
        self._room = room

    def keep(self, *, seconds: float, room: int) -> None:
        """Keep workspaces for another time, and in another room, from the next round on."""
        self._keep_seconds, self._room = seconds, room

    async def sweep(self) -> None:
        """Remove what an earlier daemon left of its sandboxes; the engine may be away for a while."""
        while True:
            try:
                removed = await self._sandboxes.sweep() + await self._packing.sweep()
            except Failure as failure:
                _log.warning("sandboxes of an earlier daemon cannot be removed yet", reason=failure.message)
                await asyncio.sleep(_SWEEP_AGAIN_SECONDS)
                continue
            if removed:
                _log.warning("removed what an earlier daemon left of its sandboxes", count=removed)
            return

    async def tidy(self) -> None:
        """Remove workspaces that are old or too large, of those that somebody looked at; look again every hour."""
        layers = self._workplaces.layers
        await self._workplaces.run(layers.clear)
        while True:
            try:
                removed = await self._workplaces.run(
                    lambda: layers.tidy(keep_seconds=self._keep_seconds, room=self._room)
                )
            except (OSError, Failure) as problem:
                _log.warning("workspaces could not be tidied; the next round tries again", reason=str(problem))
            else:
                if removed:
                    _log.info("removed workspaces that somebody had looked at", sessions=removed)
            await asyncio.sleep(_TIDY_SECONDS)

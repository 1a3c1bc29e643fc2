"""Tells whoever listens that the actions of this home have changed. The folder is looked at once a second for all."""

import asyncio
from collections.abc import AsyncGenerator

from daemon.base.tasks import TaskSet
from daemon.tools.actions.catalog import ActionCatalog

_LOOK_SECONDS = 1.0


class CatalogWatch:
    """Looks at the folder for as long as somebody listens. All of it belongs to the event loop's thread."""

    def __init__(self, catalog: ActionCatalog, tasks: TaskSet) -> None:
        self._tasks = tasks
        self._catalog = catalog
        self._listeners: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yield at each change from now on."""
        changed = asyncio.Event()
        self._listeners.add(changed)
        if self._looking is None:
            self._looking = self._tasks.start(self._look(self._catalog.fingerprint()), name="watch actions")
        try:
            while True:
                await changed.wait()
                changed.clear()
                yield
        finally:
            self._listeners.discard(changed)
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look(self, known: str) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = self._catalog.fingerprint()
            if now != known:
                known = now
                for listener in self._listeners:
                    listener.set()

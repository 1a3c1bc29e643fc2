"""Tells that the actions of this home have changed: one watch for the daemon, however many agents listen."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from daemon.base.folder_watch import FolderWatch
from daemon.core.failures import Failure
from daemon.tools.actions.catalog import ActionCatalog


class CatalogWatch:
    """Compares the actions with what they were, each time that their folder may have changed."""

    def __init__(self, catalog: ActionCatalog, folder: FolderWatch) -> None:
        self._catalog = catalog
        self._folder = folder
        self._others_changed = False

    def nudge(self) -> None:
        """Have a change told that is none of the files: a connector came or went, and with it what an action may do."""
        self._others_changed = True
        self._folder.nudge()

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yield at each change from now on."""
        told = self._catalog.version
        async with aclosing(self._folder.changes()) as moments:
            async for _ in moments:
                now = self._look()
                if now is not None and (now != told or self._others_changed):
                    told, self._others_changed = now, False
                    yield

    def _look(self) -> int | None:
        """Return the version after a look at every file; None while the folder cannot be read."""
        try:
            self._catalog.all()
        except Failure:
            return None
        return self._catalog.version

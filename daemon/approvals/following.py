"""Takes back what a session had asked for when the session ends, in whatever way it ends."""

import asyncio
from collections.abc import Callable

from daemon.approvals.service import Approvals
from daemon.core.failures import Failure

_AGAIN_SECONDS = 1.0


class SessionFollower:
    """Hears of every session that ends, and makes its open approvals void.

    It has to be told of ends before sessions are loaded, because loading ends those whose time is over.
    """

    def __init__(self, *, approvals: Approvals) -> None:
        self._approvals = approvals
        self._ended: set[str] = set()
        self._heard = asyncio.Event()

    def session_ended(self, session: str) -> None:
        """Remember that a session has ended; its approvals follow at once, or as soon as the log can be written."""
        self._ended.add(session)
        self._heard.set()

    async def follow(self, *, is_open: Callable[[str], bool]) -> None:
        """Make approvals void for as long as the daemon runs, first those that a daemon before did not live to end."""
        for session in await self._approvals.sessions_with_open_approvals():
            if not is_open(session):
                self.session_ended(session)
        while True:
            await self._heard.wait()
            self._heard.clear()
            for session in list(self._ended):
                try:
                    await self._approvals.void_session(session)
                except Failure:
                    # The log cannot be written just now. Nothing was changed, and the session is tried again.
                    asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._heard.set)
                else:
                    self._ended.discard(session)

"""Keeps the tool list true: listens for changes, and asks again whenever it may have missed one."""

import asyncio
from collections.abc import Awaitable, Callable

from aileron_mcp.client import AgentApiError
from aileron_mcp.daemon_link import DaemonLink

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0


async def watch(link: DaemonLink, refresh: Callable[[], Awaitable[None]]) -> None:
    """Call refresh at each change, each reconnection and each sign of life; a daemon that is away is waited for.

    The daemon looks once a second and tells a change by comparing two looks, so it does not see a tool that came and
    went in between, and this side may have. Asking at each sign of life costs nothing where nothing has changed.
    """
    pause = _FIRST_PAUSE
    while True:
        try:
            client = await link.client()
            async for event in client.changes():
                pause = _FIRST_PAUSE
                if event in {"alive", "tools_changed"}:
                    await refresh()
        except AgentApiError as problem:
            if problem.status == _UNAUTHORIZED:
                await link.renew()  # a session that was given and has ended stays ended; asking again does no harm
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


_UNAUTHORIZED = 401

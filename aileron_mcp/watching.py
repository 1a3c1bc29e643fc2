"""Keeps the tool list true: listens for changes, and asks again whenever it may have missed one."""

import asyncio
from collections.abc import Awaitable, Callable

from aileron_mcp.client import AgentApiError
from aileron_mcp.daemon_link import Link

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_OTHERS = frozenset({"resources_changed", "prompts_changed"})
"""Changes that are told on; who hears of them asks for the list."""


async def watch(link: Link, refresh: Callable[[], Awaitable[None]], tell: Callable[[str], Awaitable[None]]) -> None:
    """Call refresh each time the daemon is reached, and at each change; a daemon that is away is waited for.

    The daemon tells every change from the first sign of life on, so the later signs ask for nothing.
    """
    pause = _FIRST_PAUSE
    while True:
        try:
            client = await link.client()
            reached = False
            async for event in client.changes():
                pause = _FIRST_PAUSE
                if event == "tools_changed" or not reached:
                    reached = True
                    await refresh()
                if event in _OTHERS:
                    await tell(event)
        except AgentApiError as problem:
            if problem.status == _UNAUTHORIZED:
                await link.renew()  # a session that was given and has ended stays ended; asking again does no harm
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


_UNAUTHORIZED = 401

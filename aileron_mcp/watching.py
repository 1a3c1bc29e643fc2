"""Keeps the tool list true: listens for changes, and asks again whenever it may have missed one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aileron_mcp.client import AgentApiError
from aileron_mcp.daemon_link import Link

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_OTHERS = frozenset({"resources_changed", "prompts_changed"})
"""Changes that are told on; who hears of them asks for the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is done about what is heard."""

    refresh: Callable[[], Awaitable[None]]
    tell: Callable[[str], Awaitable[None]]
    updated: Callable[[Mapping[str, Any]], Awaitable[None]]
    """A resource that the agent watches has changed."""
    again: Callable[[], Awaitable[None]]
    """The daemon was away, and may have forgotten what was asked of it."""


async def watch(link: Link, heard: Heard) -> None:
    """Call refresh each time the daemon is reached, and at each change; a daemon that is away is waited for.

    The daemon tells every change from the first sign of life on, so the later signs ask for nothing.
    """
    pause, before = _FIRST_PAUSE, False
    while True:
        try:
            client = await link.client()
            reached = False
            async for event, said in client.changes():
                pause = _FIRST_PAUSE
                if event == "tools_changed" or not reached:
                    await heard.refresh()
                if before and not reached:
                    await heard.again()
                reached = before = True
                if event in _OTHERS:
                    await heard.tell(event)
                elif event == "resource_updated":
                    await heard.updated(said)
        except AgentApiError as problem:
            if problem.status == _UNAUTHORIZED:
                await link.renew()  # a session that was given and has ended stays ended; asking again does no harm
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


_UNAUTHORIZED = 401

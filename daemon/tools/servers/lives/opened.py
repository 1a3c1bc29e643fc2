"""A server that runs, as its life and who opens it see it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from daemon.tools.servers.upstream.seam import ToolExecutor
from daemon.tools.servers.values import ServerConfig


class Opened(Protocol):
    """A server that can be asked."""

    @property
    def executor(self) -> ToolExecutor:
        """Return what asks it, and closes it."""
        ...

    async def over(self) -> None:
        """Return when its process can be asked no longer; never, for one that has none."""
        ...

    async def why(self) -> str:
        """Return why it is over, for a person; may wait a moment for the last words of a process."""
        ...


OpenServer = Callable[[ServerConfig, str], Awaitable[Opened]]
"""Starts a server for a session. Raises UpstreamError or a Failure; one that is called off leaves nothing behind."""


@dataclass(eq=False, slots=True)
class Running:
    """A server that runs, and how many calls it has."""

    opened: Opened
    calls: int = 0
    is_last: bool = False
    """Nobody gets it any more; it is closed when its calls are done."""
    is_lost: bool = False
    """It ended by itself."""
    following: asyncio.Task[None] | None = None
    closing: asyncio.Task[None] | None = None

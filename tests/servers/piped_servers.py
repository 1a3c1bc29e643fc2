"""Servers as real processes, each started for its first call and again when its connection has ended."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from servers.started import piped

from daemon.tools.servers.hearing import Told
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.upstream.connecting import connect
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.seam import ToolExecutor
from daemon.tools.servers.upstream.stdio import StdioTransport
from daemon.tools.servers.values import ServerConfig


class PipedServers:
    """The servers of a test, by name and command."""

    def __init__(self, *, call_seconds: float = 30, **commands: Sequence[str]) -> None:
        self.configs = {
            name: ServerConfig(name=name, command=tuple(command), call_seconds=call_seconds)
            for name, command in commands.items()
        }
        self._told = Told()
        self.started = 0
        self._running: dict[str, ToolExecutor] = {}
        self._stack = AsyncExitStack()
        self._starting = asyncio.Lock()

    def all(self) -> Mapping[str, ServerConfig]:
        return self.configs

    async def changes(self) -> AsyncGenerator[None, None]:
        await asyncio.Event().wait()
        yield

    @asynccontextmanager
    async def lent(self, server: ServerConfig, session: str) -> AsyncIterator[ToolExecutor]:
        async with self._starting:
            executor = self._running.get(server.name)
            if executor is None or not executor.is_open:
                executor = self._running[server.name] = await self._start(server, session)
        yield executor

    async def close(self) -> None:
        """End all processes."""
        for executor in self._running.values():
            await executor.close()
        await self._stack.aclose()

    def held(self) -> HeldServers:
        """Return them as the room takes them."""
        return HeldServers(configured=self, lender=self, scrubber_of=lambda _: None, told=self._told)

    async def _start(self, server: ServerConfig, session: str) -> ToolExecutor:
        self.started += 1
        there = await self._stack.enter_async_context(piped(list(server.command)))
        return await connect(
            StdioTransport(there.pipes),
            name=server.name,
            notices=self._told.of(server, session),
            limits=Limits(),
        )

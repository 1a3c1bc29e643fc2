"""Further people at a running sandbox, beside its launcher: `aileron sandbox logs` and `aileron sandbox attach`.

The launcher owns the sandbox: when the launcher goes, the sandbox ends, whoever else looks on. What an agent has
written is kept by the engine, up to a size, for as long as the sandbox lives.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.core.vocabulary import EventType
from daemon.sandbox import engine_calls
from daemon.sandbox.attachment import Attachment
from daemon.sandbox.engine import Engine
from daemon.sandbox.execs import running_container
from daemon.sandbox.sandbox import Sandbox
from daemon.sandbox.service import Sandboxes

_MOST_BEHIND = 8 * 1024**2


class _Behind:
    """What an onlooker has not read yet.

    It is read from the engine whether they read or not: an engine that cannot hand it on holds up the agent, and the
    end of the sandbox. Whoever falls behind too far is told so, and sees no more.
    """

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._over = False
        self._lost = False

    async def read(self, seen: Attachment) -> None:
        """Read to the end, or until too much has not been taken."""
        async for kind, piece in seen.output():
            self._pieces.append((kind, piece))
            self._bytes += len(piece)
            self._lost = self._bytes > _MOST_BEHIND
            self._more.set()
            if self._lost:
                break
        self._over = True
        self._more.set()
        if self._lost:
            seen.cut()

    async def pieces(self) -> AsyncIterator[tuple[int, bytes]]:
        """Hand out what was read; raise Failure at the end of what came before too much was not taken."""
        while True:
            while self._pieces:
                kind, piece = self._pieces.popleft()
                self._bytes -= len(piece)
                yield kind, piece
            if self._over:
                break
            self._more.clear()
            await self._more.wait()
        if self._lost:
            message = "You read more slowly than the agent writes, so you were let go. Look again, or read faster."
            raise Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.USER)


class Onlookers:
    """Hands the output of a sandbox to people who are not its launcher."""

    def __init__(self, engine: Engine, audit: AuditLog, sandboxes: Sandboxes) -> None:
        self._engine = engine
        self._audit = audit
        self._sandboxes = sandboxes

    async def logs(self, sandbox: Sandbox, *, follow: bool) -> AsyncIterator[tuple[int, bytes]]:
        """Hand out what the engine has kept, and with `follow` what comes until the sandbox has ended."""
        container = running_container(sandbox)
        seen = await self._engine.call(
            lambda client: engine_calls.look_on(client, container, terminal=sandbox.terminal, follow=follow)
        )
        behind = _Behind()
        reading = asyncio.get_running_loop().create_task(behind.read(seen), name=f"look on {sandbox.session}")
        try:
            async for piece in behind.pieces():
                yield piece
        finally:
            reading.cancel()
            seen.close()
        if follow:
            await sandbox.ended.wait()

    async def attach(self, sandbox: Sandbox, *, by: Principal) -> AsyncIterator[tuple[int, bytes]]:
        """Do the same for somebody who may type, too, and write down who that is."""
        running_container(sandbox)
        event = AuditEvent(type=EventType.SANDBOX_ATTACHED, session=sandbox.session, actor=by, payload={})
        await self._audit.append(event)
        try:
            async for piece in self.logs(sandbox, follow=True):
                yield piece
        finally:
            await asyncio.shield(self._give_back(sandbox))

    async def _give_back(self, sandbox: Sandbox) -> None:
        """Make the agent's terminal as large as the launcher's again."""
        if sandbox.size is not None and sandbox.terminal:
            with contextlib.suppress(Failure):
                await self._sandboxes.resize(sandbox, *sandbox.size)

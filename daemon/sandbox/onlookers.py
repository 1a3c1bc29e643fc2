"""Further people at a running sandbox, beside its launcher: `aileron sandbox logs` and `aileron sandbox attach`.

The launcher owns the sandbox: when the launcher goes, the sandbox ends, whoever else looks on. What an agent has
written is kept by the engine, up to a size, for as long as the sandbox lives.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.failures import Failure
from daemon.core.principal import Principal
from daemon.core.vocabulary import EventType
from daemon.sandbox import engine_calls
from daemon.sandbox.engine import Engine
from daemon.sandbox.execs import running_container
from daemon.sandbox.sandbox import Sandbox
from daemon.sandbox.service import Sandboxes


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
        try:
            async for piece in seen.output():
                yield piece
        finally:
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

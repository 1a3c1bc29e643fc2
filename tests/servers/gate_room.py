"""Every room of a daemon up to the one path, in this process, over small servers: only the two APIs are missing."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers.pin_room import new_database
from servers.piped_servers import PipedServers
from servers.small_servers import SmallServers

from daemon.app.basis import Basis
from daemon.app.rooms import Rooms, open_rooms
from daemon.app.taking_up import take_up
from daemon.approvals.record import Approval
from daemon.audit.query import EventFilter, query_events
from daemon.base.clock import IdSource, SystemClock
from daemon.base.faults import NO_FAULTS
from daemon.base.home import Home
from daemon.base.settings import load_settings
from daemon.core.principal import Means, Principal
from daemon.core.tools import ToolCall, ToolId, ToolSpec
from daemon.execution.requests import Finished, RunRequest, Waiting
from daemon.execution.seam import Talk
from daemon.sessions.service import SessionKind
from daemon.sessions.tokens import Capability

PERSON = Principal.person(Means.CLI)


@dataclass
class GateRoom:
    """One life of a daemon with these servers, and one agent's session."""

    rooms: Rooms
    servers: SmallServers | PipedServers
    session: str

    @property
    def agent(self) -> Principal:
        """Return who asks."""
        return Principal.agent(self.session)

    async def offered(self) -> dict[str, ToolSpec]:
        """Return what the agent is shown, by name."""
        return {spec.name: spec for spec in await self.rooms.execution.tools.list(self.agent)}

    async def looked(self) -> dict[str, ToolSpec]:
        """List, wait for the looks that this begins, and list again."""
        await self.offered()
        for config in self.servers.all().values():
            if config.enabled and not self.rooms.servers.pins.looked_at(config.name):
                async with self.servers.lent(config, "") as connection:
                    await self.rooms.servers.looks.current(config, connection)
        return await self.offered()

    async def call(self, name: str, arguments: Mapping[str, Any] | None = None, **more: Any) -> Finished | Waiting:
        """Call a tool by the name that the agent is shown."""
        tool = await self.rooms.execution.tools.find(name, self.agent)
        return await self.run(tool, arguments, **more)

    async def run(
        self,
        tool: ToolId,
        arguments: Mapping[str, Any] | None = None,
        *,
        session: str | None = None,
        talk: Talk | None = None,
    ) -> Finished | Waiting:
        """Call a tool through the one path."""
        call = ToolCall(
            principal=self.agent, session=session or self.session, tool=tool, arguments=dict(arguments or {})
        )
        return await self.rooms.execution.executor.run(RunRequest(call=call, asker=talk))

    async def approved(self, waiting: Finished | Waiting) -> Approval:
        """Approve a call that waits, and return what became of it."""
        assert isinstance(waiting, Waiting)
        approvals = self.rooms.decisions.approvals
        await approvals.decide(waiting.approval.id, approve=True, by=PERSON)
        return await approvals.wait(waiting.approval.id, session=self.session, seconds=30)

    async def events(self, kind: str = "") -> list[dict[str, Any]]:
        """Return events of a type, or all, the oldest first."""
        wanted = EventFilter(limit=None, type=kind or None)
        found = await self.rooms.database.reader.read(lambda conn: query_events(conn, wanted))
        return [
            {"type": each.type, "action": each.action, "class": each.failure_class} | json.loads(each.payload)
            for each in found
        ]

    async def open_session(self) -> str:
        """Open another session."""
        return await _open_session(self.rooms)


async def _open_session(rooms: Rooms) -> str:
    session, _ = await rooms.sessions.open(
        kind=SessionKind.API, label="test", capabilities=tuple(Capability), lifetime_ms=3_600_000, actor=PERSON
    )
    return session.id


@asynccontextmanager
async def gate_room(
    folder: Path, servers: SmallServers | PipedServers, *, settings: str = ""
) -> AsyncIterator[GateRoom]:
    """Offer the rooms of a home; entering once more is the daemon's next life."""
    home = Home(folder)
    home.prepare()
    (folder / "config.toml").write_text(settings)
    if not home.database_path.exists():
        home.database_path.write_bytes(new_database())
    clock = SystemClock()
    basis = Basis(
        settings=load_settings(home, {}),
        home=home,
        clock=clock,
        entropy=os.urandom,
        ids=IdSource(clock=clock, entropy=os.urandom),
        faults=NO_FAULTS,
        started_ms=clock.now_ms(),
    )
    async with basis.stops:
        rooms = await open_rooms(basis, (), servers.held())
        await take_up(basis, rooms)
        rooms.execution.dispatcher.start(on_vault_change=rooms.secrets.vault.on_change)
        yield GateRoom(rooms, servers, await _open_session(rooms))

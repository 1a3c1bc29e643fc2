"""Pins over a real log and database in a folder, and definitions to pin."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from daemon.audit.log import AuditLog
from daemon.audit.query import EventFilter, query_events
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import IdSource, SystemClock
from daemon.core.principal import Means, Principal
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.db.reader import Reader
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.values import ServerConfig

PERSON = Principal.person(Means.CLI)
GITHUB = ServerConfig(name="github", command=("github-mcp",))


def tool(name: str, **more: Any) -> dict[str, Any]:
    """Return a definition as a server gives it."""
    return {"name": name, "description": f"Does {name}.", "inputSchema": {"type": "object"}} | more


@dataclass
class PinRoom:
    """One life of a daemon, as far as pins are concerned."""

    pins: Pins
    audit: AuditLog
    reader: Reader

    async def events(self) -> list[dict[str, Any]]:
        """Return what the log has, the oldest first."""
        found = await self.reader.read(lambda conn: query_events(conn, EventFilter(limit=1000)))
        return [{"type": each.type, "actor": each.actor, "payload": json.loads(each.payload)} for each in found]


@cache
def new_database() -> bytes:
    """Return an empty database; to make one takes longer than most tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "aileron.db"
        migrate(path, backups=path.parent, now_ms=1)
        return path.read_bytes()


@asynccontextmanager
async def pin_room(folder: Path) -> AsyncIterator[PinRoom]:
    """Offer the pins of a folder; entering once more is the daemon's next life."""
    path = folder / "aileron.db"
    if not path.exists():
        path.write_bytes(new_database())
    engine, clock = open_engine(path), SystemClock()
    audit = AuditLog.open(
        engine=engine,
        clock=clock,
        ids=IdSource(clock=clock, entropy=os.urandom),
        signer=CheckpointSigner.open(folder / "ca" / "audit.key"),
    )
    reader = Reader(engine)
    pins = Pins(audit=audit, reader=reader, clock=clock)
    await pins.load()
    try:
        yield PinRoom(pins, audit, reader)
    finally:
        await audit.close()
        await reader.close()
        engine.dispose()

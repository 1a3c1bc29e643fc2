"""A log in a folder, with a clock that stands still unless moved, for the tests of this room."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.audit.query import EventFilter, StoredEvent, query_events
from daemon.audit.signing import CheckpointSigner
from daemon.audit.verification import VerifyReport, verify
from daemon.base.clock import IdSource
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.principal import MEANS_KEY, Principal
from daemon.db.engine import open_engine
from daemon.db.migration import migrate

AGENT = Principal.agent("ses_1")


class StillClock:
    """Shows the time it was set to."""

    def __init__(self, ms: int = 1_790_000_000_000) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


@dataclass(slots=True)
class AuditRoom:
    """A log and what it stands on."""

    path: Path
    engine: Engine
    log: AuditLog
    signer: CheckpointSigner
    clock: StillClock

    def verify(self) -> VerifyReport:
        """Verify from the file, as someone without the daemon would."""
        return verify(self.path, public_keys=self.signer.public_keys())

    def verify_live(self) -> VerifyReport:
        """Verify through the log, which knows what it has written."""
        with self.engine.connect() as connection:
            return self.log.verify(connection)

    def events(self) -> list[StoredEvent]:
        """Return everything in the log."""
        with self.engine.connect() as connection:
            return query_events(connection, EventFilter(limit=None))


def an_event(number: int = 0, *, event_type: str = "test.happened", event_id: str | None = None) -> AuditEvent:
    """Return an event like any other."""
    return AuditEvent(type=event_type, session="ses_1", actor=AGENT, payload={"n": number}, id=event_id)


def stored_payload(number: int) -> str:
    """Return what the log holds as the payload of `an_event`."""
    return f'{{"{MEANS_KEY}":"session_token","n":{number}}}'


@asynccontextmanager
async def open_room(
    folder: Path,
    *,
    checkpoint_every: int = 1000,
    checkpoint_seconds: float = 60.0,
    faults: FaultPoints = NO_FAULTS,
    boot: str = "this boot",
) -> AsyncIterator[AuditRoom]:
    """Open the log of a folder, and close it at the end."""
    path = folder / "aileron.db"
    clock = StillClock()
    migrate(path, backups=folder / "backups", now_ms=clock.ms)
    engine = open_engine(path)
    signer = CheckpointSigner.open(folder / "ca" / "audit.key")
    ids = IdSource(clock=clock, entropy=os.urandom)
    log = AuditLog.open(
        engine=engine,
        clock=clock,
        ids=ids,
        signer=signer,
        checkpoint_every=checkpoint_every,
        checkpoint_seconds=checkpoint_seconds,
        faults=faults,
        boot=boot,
    )
    try:
        yield AuditRoom(path, engine, log, signer, clock)
    finally:
        await log.close()
        engine.dispose()

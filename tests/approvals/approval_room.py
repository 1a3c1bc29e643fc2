"""Approvals and sessions over a real log in a folder, with two clocks that the test moves apart."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from daemon.approvals.feed import ApprovalFeed
from daemon.approvals.record import Approval, ApprovalRequest
from daemon.approvals.service import Approvals
from daemon.audit.log import AuditLog
from daemon.audit.query import EventFilter, query_events
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import IdSource
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.account import Account
from daemon.core.principal import Principal
from daemon.core.subject import NamedHash, Subject
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.db.reader import Reader
from daemon.sessions.service import Sessions
from daemon.sessions.tokens import TokenAuthority

AGENT = Principal.agent("ses_1")

ACCOUNT = Account(connector="github://acme/slack", name="api_key/slack/work", kind="api_key", version=7, seal="5eal")

SUBJECT = Subject(
    kind="action",
    origin="local",
    name="ship",
    version="1.0.0",
    definition="sha256:aa",
    depends_on=(NamedHash("github://acme/slack", "sha256:bb"),),
    accounts=(ACCOUNT,),
)


class TwoClocks:
    """A wall clock and a steady clock, each moved by itself."""

    def __init__(self) -> None:
        self.wall_ms = 1_800_000_000_000
        self.steady = 1000.0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic(self) -> float:
        return self.steady

    def move(self, *, wall: float = 0.0, steady: float = 0.0) -> None:
        """Move each clock by some seconds."""
        self.wall_ms += round(wall * 1000)
        self.steady += steady


@dataclass(slots=True)
class ApprovalRoom:
    """One life of a daemon, as far as approvals and sessions are concerned."""

    engine: Engine
    audit: AuditLog
    clock: TwoClocks
    approvals: Approvals
    sessions: Sessions

    async def ask(self, *, session: str = "ses_1", expires_seconds: float = 60.0) -> Approval:
        """Ask for something like any other thing."""
        return await self.approvals.request(
            ApprovalRequest(
                session=session,
                actor=AGENT,
                subject=SUBJECT,
                arguments={"n": 1},
                digest="sha256:cc",
                expires_seconds=expires_seconds,
            )
        )

    async def state(self, approval: Approval) -> str:
        """Return where an approval stands."""
        return (await self.approvals.get(approval.id)).state.value

    def event_types(self) -> list[str]:
        """Return the types of everything in the log."""
        with self.engine.connect() as connection:
            return [event.type for event in query_events(connection, EventFilter(limit=None))]


@asynccontextmanager
async def open_room(
    folder: Path, *, clock: TwoClocks | None = None, faults: FaultPoints = NO_FAULTS
) -> AsyncIterator[ApprovalRoom]:
    """Open the rooms over a folder's database; a second time is a restart."""
    clock = clock or TwoClocks()
    path = folder / "aileron.db"
    migrate(path, backups=folder / "backups", now_ms=clock.wall_ms)
    engine = open_engine(path)
    reader = Reader(engine)
    ids = IdSource(clock=clock, entropy=os.urandom)
    audit = AuditLog.open(
        engine=engine, clock=clock, ids=ids, signer=CheckpointSigner.open(folder / "ca" / "audit.key"), faults=faults
    )
    approvals = Approvals(audit=audit, reader=reader, clock=clock, ids=ids, feed=ApprovalFeed())
    sessions = Sessions(
        audit=audit, reader=reader, clock=clock, ids=ids, authority=TokenAuthority(key=bytes(range(32)))
    )
    await sessions.load()
    await approvals.load()
    try:
        yield ApprovalRoom(engine, audit, clock, approvals, sessions)
    finally:
        await audit.close()
        await reader.close()
        engine.dispose()

"""Puts the room together: the log, what bounds it, and what keeps refusals from filling it."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from daemon.audit.attachments import Attachments
from daemon.audit.budget import LogBudget
from daemon.audit.large import LargeValues
from daemon.audit.log import AuditLog
from daemon.audit.repeats import Repeats
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import Clock, Entropy, IdSource
from daemon.base.faults import FaultPoints
from daemon.base.platform import boot_identity


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditBounds:
    """How often the log is signed, and how much of the disk it may take."""

    checkpoint_every: int
    checkpoint_seconds: float
    budget: int
    session_hourly: int
    attachments: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What this room offers."""

    log: AuditLog
    repeats: Repeats
    budget: LogBudget
    large: LargeValues

    async def close(self) -> None:
        """Write what was only counted, then sign and close the log, then the files beside it."""
        await self.repeats.close()
        await self.log.close()
        self.large.close()


def build(
    *,
    engine: Engine,
    database: Path,
    key: Path,
    attachments: Path,
    bounds: AuditBounds,
    clock: Clock,
    ids: IdSource,
    entropy: Entropy,
    faults: FaultPoints,
) -> Audit:
    """Open the log. Raises SigningKeyError, and the Failure of a log that cannot be written."""
    signer = CheckpointSigner.open(key)
    budget = LogBudget(clock=clock, database=database, budget=bounds.budget, session_hourly=bounds.session_hourly)
    large = LargeValues(Attachments(attachments, quota=bounds.attachments), budget)
    log = AuditLog.open(
        engine=engine,
        clock=clock,
        ids=ids,
        signer=signer,
        checkpoint_every=bounds.checkpoint_every,
        checkpoint_seconds=bounds.checkpoint_seconds,
        faults=faults,
        # Where it cannot be told whether the machine was started anew, it is taken to have been.
        boot=boot_identity() or entropy(16).hex(),
        budget=budget,
        large=large,
    )
    return Audit(log, Repeats(audit=log, clock=clock, ids=ids), budget, large)

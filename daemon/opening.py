"""Two parts of the start that are several steps each: opening the log, and taking up what the last daemon left."""

import structlog
from sqlalchemy import Engine

from daemon.approvals.following import SessionFollower
from daemon.approvals.service import Approvals
from daemon.audit.attachments import Attachments
from daemon.audit.budget import LogBudget
from daemon.audit.large import LargeValues
from daemon.audit.log import AuditLog
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import Clock, Entropy, IdSource
from daemon.base.faults import FaultPoints
from daemon.base.home import Home
from daemon.base.platform import boot_identity
from daemon.base.settings import Settings
from daemon.base.tasks import TaskSet
from daemon.db.reader import Reader
from daemon.execution.settlement import settle_interrupted
from daemon.sessions.service import Sessions

_log = structlog.get_logger("daemon")


def open_log(
    settings: Settings,
    home: Home,
    *,
    engine: Engine,
    signer: CheckpointSigner,
    clock: Clock,
    ids: IdSource,
    entropy: Entropy,
    faults: FaultPoints,
) -> tuple[LogBudget, LargeValues, AuditLog]:
    """Open the log, with what bounds it."""
    budget = LogBudget(
        clock=clock,
        database=home.database_path,
        budget=settings.audit.budget,
        session_hourly=settings.audit.session_hourly,
    )
    large = LargeValues(Attachments(home.attachments_dir, quota=settings.audit.attachments), budget)
    audit = AuditLog.open(
        engine=engine,
        clock=clock,
        ids=ids,
        signer=signer,
        checkpoint_every=settings.audit.checkpoint_every,
        checkpoint_seconds=settings.audit.checkpoint_seconds,
        faults=faults,
        # Where it cannot be told whether the machine was started anew, it is taken to have been.
        boot=boot_identity() or entropy(16).hex(),
        budget=budget,
        large=large,
    )
    return budget, large, audit


async def take_up(
    *,
    audit: AuditLog,
    sessions: Sessions,
    approvals: Approvals,
    follower: SessionFollower,
    reader: Reader,
    ids: IdSource,
    tasks: TaskSet,
) -> None:
    """Take up what the last daemon left; with a damaged log, only when a person has gone on with it."""

    async def work() -> None:
        await sessions.load()
        await sessions.terminal()
        await approvals.load()
        interrupted = await settle_interrupted(audit=audit, approvals=approvals, reader=reader, ids=ids)
        if interrupted:
            _log.warning("settled interrupted runs", count=interrupted)
        tasks.start(follower.follow(is_open=sessions.is_open), name="follow sessions")

    if audit.status().damage:
        _log.error("the audit log is damaged, so nothing runs", reason=audit.status().reason)
        audit.when_resumed(work)
    else:
        await work()

"""Takes up, at start, what the last daemon left."""

import structlog

from daemon.app.basis import Basis
from daemon.app.rooms import Rooms
from daemon.execution.settlement import settle_interrupted

_log = structlog.get_logger("daemon")


async def take_up(basis: Basis, rooms: Rooms) -> None:
    """Take up sessions, approvals and runs; with a damaged log, only when a person has gone on with it."""
    log, sessions, decisions = rooms.audit.log, rooms.sessions, rooms.decisions

    async def work() -> None:
        await sessions.load()
        await sessions.terminal()
        await decisions.approvals.load()
        interrupted = await settle_interrupted(
            audit=log, approvals=decisions.approvals, reader=rooms.database.reader, ids=basis.ids
        )
        if interrupted:
            _log.warning("settled interrupted runs", count=interrupted)
        basis.tasks.start(decisions.follower.follow(is_open=sessions.is_open), name="follow sessions")

    if log.status().damage:
        _log.error("the audit log is damaged, so nothing runs", reason=log.status().reason)
        log.when_resumed(work)
    else:
        await work()

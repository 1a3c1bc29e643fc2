"""Takes up, at start, what the last daemon left."""

import structlog

from daemon.app.basis import Basis
from daemon.app.rooms import Rooms
from daemon.audit.events import AuditEvent
from daemon.core.principal import DAEMON
from daemon.core.vocabulary import Attr, EventType
from daemon.custody.marker import restored_from, taken_up
from daemon.execution.settlement import settle_interrupted

_log = structlog.get_logger("daemon")


async def take_up(basis: Basis, rooms: Rooms) -> None:
    """Take up sessions, approvals and runs; with a damaged log, only when a person has gone on with it."""
    log, sessions, decisions = rooms.audit.log, rooms.sessions, rooms.decisions

    async def work() -> None:
        await sessions.load()
        await sessions.terminal()
        await decisions.approvals.load()
        await _take_up_restored(basis, rooms)
        interrupted = await settle_interrupted(
            audit=log,
            approvals=decisions.approvals,
            held=rooms.execution.held,
            reader=rooms.database.reader,
            ids=basis.ids,
        )
        if interrupted:
            _log.warning("settled interrupted runs", count=interrupted)
        basis.tasks.start(decisions.follower.follow(is_open=sessions.is_open), name="follow sessions")

    if log.status().damage:
        _log.error("the audit log is damaged, so nothing runs", reason=log.status().reason)
        log.when_resumed(work)
    else:
        await work()


async def _take_up_restored(basis: Basis, rooms: Rooms) -> None:
    """In a home that came out of a backup, take back what may have been used since the backup was made.

    An approval that is open in the backup may have been spent since, and a session may have ended. So nothing that
    was open is open any more. Killed in the middle, the next start does it again: the file that says that the home was
    restored goes last.
    """
    home, log = basis.home.path, rooms.audit.log
    about = restored_from(home)
    if about is None:
        return
    reason = f"The home was restored from a backup of {about.made_at}; it may have been used since then."
    voided = await rooms.decisions.approvals.void_all(reason=reason)
    ended = await rooms.sessions.end_all_but_the_terminal(reason=reason)
    payload = {
        Attr.HOME_BACKUP_MADE_AT: about.made_at,
        Attr.HOME_BACKUP_SEQ: about.head_seq,
        Attr.HOME_BACKUP_HEAD: about.head_hash,
        Attr.HOME_VOIDED_APPROVALS: voided,
        Attr.HOME_ENDED_SESSIONS: ended,
    }
    await log.append(AuditEvent(type=EventType.HOME_RESTORED, session=None, actor=DAEMON, payload=payload))
    basis.faults.hit("restore.taken_up")
    taken_up(home)

"""What the daemon does by itself as time goes by: locks an idle vault, ends sessions whose time is over."""

import asyncio

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.audit.repeats import Repeats
from daemon.base.processes import Processes
from daemon.base.tasks import TaskSet
from daemon.core.failures import Failure
from daemon.sessions.service import Sessions
from daemon.vault.vault import Vault

_SECONDS = 1.0


def keep_house(
    tasks: TaskSet, *, vault: Vault, sessions: Sessions, audit: AuditLog, repeats: Repeats, processes: Processes
) -> None:
    """Begin to look after what time changes."""
    tasks.start(
        _loop(vault=vault, sessions=sessions, audit=audit, repeats=repeats, processes=processes), name="keep house"
    )


async def _loop(*, vault: Vault, sessions: Sessions, audit: AuditLog, repeats: Repeats, processes: Processes) -> None:
    while True:
        await asyncio.sleep(_SECONDS)
        try:
            if vault.lock_if_idle():
                session = await sessions.terminal()
                payload = {"reason": "idle"}
                await audit.append(AuditEvent(type="vault.locked", session=session.id, actor="daemon", payload=payload))
            await sessions.end_expired()
            await repeats.close_due()
            await _end_orphans(sessions, processes)
        except Failure:
            # The log cannot be written just now; `status` says so, and the next round tries again.
            continue


async def _end_orphans(sessions: Sessions, processes: Processes) -> None:
    """End the sessions whose process has ended; also those of before this daemon was started."""
    owned = {session: (owner.pid, owner.identity) for session, owner in sessions.owned().items()}
    gone = await processes.gone(owned.values())
    for session, owner in owned.items():
        if owner in gone:
            await sessions.end(session, reason="its process ended", actor="daemon")

"""What the daemon does by itself as time goes by: locks an idle vault, ends sessions whose time is over."""

import asyncio

from daemon.approvals.service import Approvals
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.failures import Failure
from daemon.lifecycle.tasks import TaskSet
from daemon.sessions.service import Sessions
from daemon.vault.vault import Vault

_SECONDS = 1.0


def keep_house(tasks: TaskSet, *, vault: Vault, sessions: Sessions, approvals: Approvals, audit: AuditLog) -> None:
    """Begin to look after what time changes."""
    tasks.start(_loop(vault=vault, sessions=sessions, approvals=approvals, audit=audit), name="keep house")


async def _loop(*, vault: Vault, sessions: Sessions, approvals: Approvals, audit: AuditLog) -> None:
    while True:
        await asyncio.sleep(_SECONDS)
        try:
            if vault.lock_if_idle():
                session = await sessions.terminal()
                payload = {"reason": "idle"}
                await audit.append(AuditEvent(type="vault.locked", session=session.id, actor="daemon", payload=payload))
            for session in await sessions.end_expired():
                await approvals.void_session(session.id)
        except Failure:
            # The log cannot be written just now; `status` says so, and the next round tries again.
            continue

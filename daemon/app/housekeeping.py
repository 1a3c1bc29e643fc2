"""What the daemon does by itself as time goes by: locks an idle vault, ends sessions whose time is over."""

import asyncio

from daemon.app.rooms import Rooms
from daemon.audit.events import AuditEvent
from daemon.core.failures import Failure
from daemon.core.principal import DAEMON
from daemon.core.vocabulary import EventType

_SECONDS = 1.0


async def keep_house(rooms: Rooms) -> None:
    """Look after what time changes, once a second, for as long as the daemon runs."""
    while True:
        await asyncio.sleep(_SECONDS)
        try:
            await _lock_idle_vault(rooms)
            await rooms.sessions.end_expired()
            await rooms.audit.repeats.close_due()
            await _end_orphans(rooms)
        except Failure:
            # The log cannot be written just now; `status` says so, and the next round tries again.
            continue


async def _lock_idle_vault(rooms: Rooms) -> None:
    if rooms.secrets.vault.lock_if_idle():
        session = await rooms.sessions.terminal()
        payload = {"reason": "idle"}
        event = AuditEvent(type=EventType.VAULT_LOCKED, session=session.id, actor=DAEMON, payload=payload)
        await rooms.audit.log.append(event)


async def _end_orphans(rooms: Rooms) -> None:
    """End the sessions whose process has ended; also those of before this daemon was started."""
    owned = {session: (owner.pid, owner.identity) for session, owner in rooms.sessions.owned().items()}
    gone = await rooms.processes.gone(owned.values())
    for session, owner in owned.items():
        if owner in gone:
            await rooms.sessions.end(session, reason="its process ended", actor=DAEMON)

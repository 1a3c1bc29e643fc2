"""The daemon's part of a backup: the log as it is at one moment. What else lies in the home, the command line packs."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from daemon.api.envelopes import DOCUMENTED
from daemon.api.principals import Who
from daemon.custody.taking import Taking
from daemon.sessions.service import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What this route uses."""

    taking: Taking
    sessions: Sessions


def router(uses: Uses) -> APIRouter:
    """Return the route."""
    routes = APIRouter(responses=DOCUMENTED)

    @routes.post("/v1/backups", operation_id="backup_take", status_code=201)
    async def take(who: Who) -> dict[str, Any]:
        """Put the log aside in a folder of the home; whoever packs it removes the folder."""
        session = await uses.sessions.terminal()
        return (await uses.taking.take(actor=who, session=session.id)).as_json()

    return routes

"""The settings of the running daemon: which wait for the next start, and taking over the others."""

from collections.abc import Sequence
from typing import Any, Protocol

from fastapi import APIRouter

from daemon.api.envelopes import DOCUMENTED
from daemon.api.principals import Who
from daemon.core.principal import Principal


class TakenOver(Protocol):
    """What differed."""

    @property
    def at_once(self) -> Sequence[str]: ...
    @property
    def later(self) -> Sequence[str]: ...


class Live(Protocol):
    """The settings that hold."""

    def waiting(self) -> list[str]: ...
    async def take_over(self, *, by: Principal) -> TakenOver: ...


def router(live: Live) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)

    @routes.get("/v1/settings", operation_id="settings_waiting")
    async def waiting() -> dict[str, Any]:
        """Name the settings whose value in the file holds at the next start."""
        return {"waiting": live.waiting()}

    @routes.post("/v1/settings/take-over", operation_id="settings_take_over")
    async def take_over(who: Who) -> dict[str, Any]:
        """Read the file anew and take over what a running daemon can; the log says who asked, and what changed."""
        found = await live.take_over(by=who)
        return {"at_once": list(found.at_once), "at_next_start": list(found.later)}

    return routes

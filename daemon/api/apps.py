"""Puts the two apps together: separate route tables, separate doors."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from daemon.api.body_limit import BodyLimit
from daemon.api.browser import BrowserSessions
from daemon.api.denials import Denials
from daemon.api.envelopes import Report, install_handlers
from daemon.api.guards import AgentDoor, ControlDoor
from daemon.api.tool_calls import AgentApp
from daemon.sessions.service import Sessions
from daemon.version import VERSION


def bare_control_app(routers: Iterable[APIRouter], report: Report) -> FastAPI:
    """Return the control API, without its door; the pages are added by whoever puts the daemon together."""
    app = FastAPI(title="Aileron control API", version=VERSION, docs_url=None, redoc_url=None)
    included = tuple(routers)
    paths = [route.path for router in included for route in router.routes if isinstance(route, APIRoute)]
    install_handlers(app, report=report, paths=paths)
    for router in included:
        app.include_router(router)
    return app


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the two doors check requests with."""

    master_token: str = field(repr=False)
    browser: BrowserSessions
    sessions: Sessions
    denials: Denials

    def control(self, app: ASGIApp, *, own_url: str) -> ASGIApp:
        """Put the door of the control API in front of it."""
        return ControlDoor(
            BodyLimit(app),
            master_token=self.master_token,
            browser=self.browser,
            sessions=self.sessions,
            denials=self.denials,
            own_url=own_url,
        )

    def agent(self, app: AgentApp, *, gateway: ASGIApp, own_url: str, only_session: str | None = None) -> ASGIApp:
        """Put the door of the agent API in front of it: of this machine's API, or of one session's at its own place."""
        return AgentDoor(
            BodyLimit(app),
            calls=app,
            gateway=gateway,
            sessions=self.sessions,
            denials=self.denials,
            own_url=own_url,
            only_session=only_session,
        )

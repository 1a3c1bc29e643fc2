"""Puts the two apps together: separate route tables, separate doors."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp

from daemon.api.control import routes
from daemon.api.envelopes import Report, install_handlers
from daemon.api.guards import AgentDoor, BodyLimit, ControlDoor
from daemon.api.services import Services
from daemon.api.stopping import Stopping
from daemon.version import VERSION


def bare_control_app(services: Services, stopping: Stopping, report: Report, *, stop: Callable[[], None]) -> FastAPI:
    """Return the control API, without its door; the pages are added by whoever puts the daemon together."""
    app = FastAPI(title="Aileron control API", version=VERSION, docs_url=None, redoc_url=None)
    install_handlers(app, report=report)
    routes.add_routes(app, services, stopping, stop=stop)
    return app


def control_door(app: ASGIApp, services: Services) -> ASGIApp:
    """Put the door of the control API in front of it."""
    return ControlDoor(
        BodyLimit(app),
        master_token=services.master_token,
        browser=services.browser,
        sessions=services.sessions,
        denials=services.denials,
        own_url=lambda: services.addresses.control,
    )


def agent_door(
    app: ASGIApp, services: Services, *, own_url: str | None = None, only_session: str | None = None
) -> ASGIApp:
    """Put the door of the agent API in front of it: of this machine's, or of one session's at a place of its own."""
    return AgentDoor(
        BodyLimit(app),
        gateway=services.gateway,
        sessions=services.sessions,
        denials=services.denials,
        own_url=lambda: services.addresses.agent if own_url is None else own_url,
        only_session=only_session,
    )

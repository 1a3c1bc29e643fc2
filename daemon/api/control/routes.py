"""Adds every group of control routes to the app."""

from collections.abc import Callable

from fastapi import FastAPI

from daemon.api.control import (
    actions,
    approvals,
    audit,
    bindings,
    connectors,
    keyring,
    providers,
    sandbox_images,
    sandboxes,
    sessions,
    status,
    vault,
    workspaces,
)
from daemon.api.services import Services
from daemon.api.stopping import Stopping


def add_routes(app: FastAPI, services: Services, stopping: Stopping, *, stop: Callable[[], None]) -> None:
    """Add the routes of the control API."""
    app.include_router(status.router(services, stop=stop))
    app.include_router(vault.router(services))
    app.include_router(bindings.router(services))
    app.include_router(connectors.router(services))
    app.include_router(keyring.router(services))
    app.include_router(providers.router(services))
    app.include_router(actions.router(services))
    app.include_router(approvals.router(services, stopping))
    app.include_router(audit.router(services))
    app.include_router(sessions.router(services))
    app.include_router(sandbox_images.router(services))
    app.include_router(sandboxes.router(services))
    app.include_router(workspaces.router(services))

"""The control API: each group of routes with the few services it uses, and the pages over the same services."""

import asyncio
import signal
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI

from daemon.api.apps import bare_control_app
from daemon.api.browser import BrowserSessions
from daemon.api.control import (
    actions,
    approvals,
    audit,
    bindings,
    checks,
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
from daemon.api.envelopes import Report
from daemon.api.stopping import Stopping
from daemon.app.basis import Basis
from daemon.app.rooms import Rooms
from daemon.core.providers import Providers
from daemon.lifecycle.process import Addresses
from daemon.sandbox.service import Sandboxes
from daemon.web.pages import PageServices, add_pages
from daemon.workspaces.service import Workspaces


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlParts:
    """What stands beside the rooms, and the control API shows or decides about."""

    addresses: Addresses
    browser: BrowserSessions
    stopping: Stopping
    providers: Providers
    sandboxes: Sandboxes
    workspaces: Workspaces


def control_app(basis: Basis, rooms: Rooms, parts: ControlParts, report: Report) -> FastAPI:
    """Return the control API with its pages, without its door."""
    routers = [
        _status(basis, rooms, parts),
        *_secrets(basis, rooms, parts),
        *_tools(rooms, parts),
        audit.router(audit.Uses(log=rooms.audit.log, reader=rooms.database.reader, large=rooms.audit.large)),
        *_sessions(rooms, parts),
    ]
    app = bare_control_app(routers, report)
    pages = PageServices(
        browser=parts.browser,
        approvals=rooms.decisions.approvals,
        explanations=rooms.execution.explanations,
        previews=rooms.execution.previews,
        workspaces=parts.workspaces,
    )
    add_pages(app, pages)
    return app


def _status(basis: Basis, rooms: Rooms, parts: ControlParts) -> APIRouter:
    about = status.About(
        home=basis.home.path,
        started_ms=basis.started_ms,
        control_url=parts.addresses.control,
        agent_url=parts.addresses.agent,
        auto_lock_seconds=basis.settings.vault.auto_lock,
    )
    checked = checks.Uses(
        audit=rooms.audit.log,
        budget=rooms.audit.budget,
        vault=rooms.secrets.vault,
        catalog=rooms.actions.catalog,
        connectors=rooms.connectors.service,
        rules=rooms.decisions.rules,
        servers=rooms.servers.provider,
    )
    return status.router(
        status.Uses(
            about=about,
            checked=checked,
            approvals=rooms.decisions.approvals,
            executor=rooms.execution.executor,
            sessions=rooms.sessions,
            clock=basis.clock,
            stop=_ask_to_stop,
        )
    )


def _secrets(basis: Basis, rooms: Rooms, parts: ControlParts) -> list[APIRouter]:
    log, owner, service = rooms.audit.log, rooms.sessions, rooms.connectors.service
    opened, bound = rooms.secrets.vault, rooms.secrets.bindings
    return [
        vault.router(
            vault.Uses(vault=opened, audit=log, sessions=owner, auto_lock_seconds=basis.settings.vault.auto_lock)
        ),
        bindings.router(
            bindings.Uses(
                bindings=bound,
                vault=opened,
                connectors=service,
                providers=parts.providers,
                audit=log,
                sessions=owner,
            )
        ),
        connectors.router(connectors.Uses(connectors=service, catalog=rooms.actions.catalog, sessions=owner)),
        keyring.router(keyring.Uses(keyring=rooms.connectors.keyring, connectors=service, sessions=owner)),
        providers.router(providers.Uses(providers=parts.providers, vault=opened, bindings=bound)),
    ]


def _tools(rooms: Rooms, parts: ControlParts) -> list[APIRouter]:
    return [
        actions.router(
            actions.Uses(
                catalog=rooms.actions.catalog,
                connectors=rooms.connectors.service,
                executor=rooms.execution.executor,
                rules=rooms.decisions.rules,
                sessions=rooms.sessions,
                audit=rooms.audit.log,
                control_url=parts.addresses.control,
            )
        ),
        approvals.router(
            approvals.Uses(
                approvals=rooms.decisions.approvals,
                explanations=rooms.execution.explanations,
                previews=rooms.execution.previews,
                browser=parts.browser,
                stopping=parts.stopping,
                control_url=parts.addresses.control,
            )
        ),
    ]


def _sessions(rooms: Rooms, parts: ControlParts) -> list[APIRouter]:
    return [
        sessions.router(
            sessions.Uses(
                sessions=rooms.sessions,
                approvals=rooms.decisions.approvals,
                processes=rooms.processes,
                agent_url=parts.addresses.agent,
            )
        ),
        sandbox_images.router(parts.sandboxes),
        sandboxes.router(sandboxes.Uses(sandboxes=parts.sandboxes, processes=rooms.processes)),
        workspaces.router(parts.workspaces),
    ]


def _ask_to_stop() -> None:
    # The answer goes out first; the signal takes the same way as one from outside.
    asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGTERM)

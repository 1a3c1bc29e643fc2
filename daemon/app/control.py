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
    backups,
    bindings,
    checks,
    connectors,
    keyring,
    providers,
    questions,
    sandbox_images,
    sandbox_visits,
    sandboxes,
    server_logins,
    servers,
    sessions,
    settings,
    status,
    vault,
    workspaces,
)
from daemon.api.envelopes import Report
from daemon.api.stopping import Stopping
from daemon.app.basis import Basis
from daemon.app.live_settings import LiveSettings
from daemon.app.rooms import Rooms
from daemon.core.providers import Providers
from daemon.custody.taking import Taking
from daemon.lifecycle.process import Addresses
from daemon.sandbox.build import SandboxRoom
from daemon.web.pages import PageServices, add_pages
from daemon.workspaces.service import Workspaces


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlParts:
    """What stands beside the rooms, and the control API shows or decides about."""

    addresses: Addresses
    browser: BrowserSessions
    stopping: Stopping
    providers: Providers
    sandboxes: SandboxRoom
    workspaces: Workspaces
    live: LiveSettings


def control_app(basis: Basis, rooms: Rooms, parts: ControlParts, report: Report) -> FastAPI:
    """Return the control API with its pages, without its door."""
    routers = [
        _status(basis, rooms, parts),
        *_secrets(rooms, parts),
        *_tools(rooms, parts),
        *_servers(rooms),
        audit.router(audit.Uses(log=rooms.audit.log, reader=rooms.database.reader, large=rooms.audit.large)),
        backups.router(backups.Uses(taking=_taking(basis, rooms), sessions=rooms.sessions)),
        *_sessions(rooms, parts),
        settings.router(parts.live),
    ]
    app = bare_control_app(routers, report)
    pages = PageServices(
        browser=parts.browser,
        approvals=rooms.decisions.approvals,
        questions=rooms.questions,
        explanations=rooms.execution.explanations,
        previews=rooms.execution.previews,
        workspaces=parts.workspaces,
    )
    add_pages(app, pages)
    return app


def _taking(basis: Basis, rooms: Rooms) -> Taking:
    home = basis.home
    taking = Taking(audit=rooms.audit.log, database=home.database_path, backups=home.backups_dir, clock=basis.clock)
    taking.clear()
    basis.stops.callback(taking.close)
    return taking


def _status(basis: Basis, rooms: Rooms, parts: ControlParts) -> APIRouter:
    about = status.About(
        home=basis.home.path,
        started_ms=basis.started_ms,
        control_url=parts.addresses.control,
        agent_url=parts.addresses.agent,
    )
    checked = checks.Uses(
        audit=rooms.audit.log,
        reader=rooms.database.reader,
        keyring=rooms.connectors.keyring,
        budget=rooms.audit.budget,
        vault=rooms.secrets.vault,
        catalog=rooms.actions.catalog,
        connectors=rooms.connectors.service,
        rules=rooms.decisions.rules,
        servers=rooms.servers.provider,
        server_service=None if rooms.server_side is None else rooms.server_side.service,
    )
    return status.router(
        status.Uses(
            about=about,
            checked=checked,
            approvals=rooms.decisions.approvals,
            questions=rooms.questions,
            executor=rooms.execution.executor,
            sessions=rooms.sessions,
            clock=basis.clock,
            stop=_ask_to_stop,
        )
    )


def _secrets(rooms: Rooms, parts: ControlParts) -> list[APIRouter]:
    log, owner, service = rooms.audit.log, rooms.sessions, rooms.connectors.service
    opened, bound = rooms.secrets.vault, rooms.secrets.bindings
    return [
        vault.router(vault.Uses(vault=opened, audit=log, sessions=owner)),
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
                questions=rooms.questions,
                explanations=rooms.execution.explanations,
                previews=rooms.execution.previews,
                browser=parts.browser,
                stopping=parts.stopping,
                control_url=parts.addresses.control,
            )
        ),
        questions.router(questions.Uses(questions=rooms.questions, control_url=parts.addresses.control)),
    ]


def _servers(rooms: Rooms) -> list[APIRouter]:
    side = rooms.server_side
    if side is None:
        return []
    uses = servers.Uses(servers=side.service, logins=side.logins, rules=rooms.decisions.rules, sessions=rooms.sessions)
    logins = server_logins.Uses(servers=side.service, logins=side.logins, sessions=rooms.sessions)
    return [servers.router(uses), server_logins.router(logins)]


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
        sandbox_images.router(parts.sandboxes.sandboxes),
        sandboxes.router(sandboxes.Uses(sandboxes=parts.sandboxes.sandboxes, processes=rooms.processes)),
        sandbox_visits.router(parts.sandboxes),
        workspaces.router(parts.workspaces),
    ]


def _ask_to_stop() -> None:
    # The answer goes out first; the signal takes the same way as one from outside.
    asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGTERM)

"""Starts every room in order, and stops them in the reverse order."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp

from daemon.api import agent
from daemon.api.apps import Doors
from daemon.api.browser import BrowserSessions
from daemon.api.denials import Denials
from daemon.api.stopping import Stopping
from daemon.app.agent_rooms import open_gateway, open_sandboxes
from daemon.app.basis import Basis
from daemon.app.control import ControlParts, control_app
from daemon.app.housekeeping import keep_house
from daemon.app.live_settings import LiveSettings, takers
from daemon.app.rooms import Rooms, open_rooms
from daemon.app.taking_up import take_up
from daemon.approvals.rules import Decision
from daemon.base.clock import Clock, Entropy, IdSource
from daemon.base.faults import FaultPoints
from daemon.base.home import Home
from daemon.base.settings import Settings
from daemon.core.tools import ToolId
from daemon.execution.executor import Executor
from daemon.execution.seam import ToolProvider
from daemon.lifecycle.process import Addresses
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.values import KIND as SERVER

_log = structlog.get_logger("daemon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """The two apps, and the way to end what is below them."""

    control_app: ASGIApp
    agent_app: ASGIApp
    token: str = field(repr=False)
    executor: Executor
    stopping: Stopping
    stops: AsyncExitStack
    """What ends the rooms, in the order in which they were built."""

    def begin_drain(self) -> None:
        """Take no new runs, and let long polls and streams end."""
        self.executor.begin_drain()
        self.stopping.begin()

    def active_runs(self) -> int:
        """Count the runs under way."""
        return self.executor.active

    async def close(self) -> None:
        """Stop everything in the reverse order of its making; so the log ends after all who write to it."""
        await self.stops.aclose()


async def start(
    *,
    settings: Settings,
    home: Home,
    addresses: Addresses,
    clock: Clock,
    entropy: Entropy,
    faults: FaultPoints,
    more_providers: Sequence[ToolProvider] = (),
    held: HeldServers | None = None,
) -> Daemon:
    """Build every room, settle what the last daemon left behind, and begin to dispatch.

    `more_providers` are kinds of tools beside those that the daemon has itself. `held` are servers in place of those
    of `servers.yaml`.

    When that fails half-way, what was built by then is stopped before the exception goes on.
    """
    basis = Basis(
        settings=settings,
        home=home,
        clock=clock,
        entropy=entropy,
        ids=IdSource(clock=clock, entropy=entropy),
        faults=faults,
        started_ms=clock.now_ms(),
    )
    async with basis.stops:
        return await _start(basis, addresses, more_providers, held)


async def _start(
    basis: Basis, addresses: Addresses, more_providers: Sequence[ToolProvider], held: HeldServers | None
) -> Daemon:
    rooms = await open_rooms(basis, more_providers, held)
    await take_up(basis, rooms)
    rooms.execution.dispatcher.start(on_vault_change=rooms.secrets.vault.on_change)
    basis.tasks.start(keep_house(rooms), name="keep house")
    denials, stopping = Denials(rooms.audit.repeats), Stopping()
    gateway = open_gateway(basis, rooms, denials)
    browser = BrowserSessions(clock=basis.clock, entropy=basis.entropy)
    doors = Doors(master_token=basis.entropy(32).hex(), browser=browser, sessions=rooms.sessions, denials=denials)
    for_agents = agent.agent_app(_agent_uses(basis, rooms, stopping, addresses), _report)

    def of_one_session(session: str, url: str) -> ASGIApp:
        return doors.agent(for_agents, gateway=gateway, own_url=url, only_session=session)

    room, workspaces = await open_sandboxes(basis, rooms, gateway, of_one_session)
    rooms.servers.workspaces.know(room.sandboxes.workspace_of)
    rooms.servers.workspaces.know(rooms.sessions.folder_of)
    parts = ControlParts(
        addresses=addresses,
        browser=browser,
        stopping=stopping,
        providers=gateway.providers,
        sandboxes=room,
        workspaces=workspaces,
        live=LiveSettings(basis, rooms, takers(rooms, room, workspaces)),
    )
    control = control_app(basis, rooms, parts, _report)
    basis.tasks.start(room.upkeep.sweep(), name="sweep sandboxes")
    basis.tasks.start(room.upkeep.tidy(), name="tidy workspaces")
    return Daemon(
        control_app=doors.control(control, own_url=addresses.control),
        agent_app=doors.agent(for_agents, gateway=gateway, own_url=addresses.agent),
        token=doors.master_token,
        executor=rooms.execution.executor,
        stopping=stopping,
        stops=basis.stops.pop_all(),
    )


def _agent_uses(basis: Basis, rooms: Rooms, stopping: Stopping, addresses: Addresses) -> agent.Uses:
    return agent.Uses(
        tools=rooms.execution.tools,
        executor=rooms.execution.executor,
        held=rooms.execution.held,
        approvals=rooms.decisions.approvals,
        sessions=rooms.sessions,
        stopping=stopping,
        servers=lambda: rooms.servers.provider.offers(_unasked(rooms)),
        hear=lambda listener: rooms.servers.told.listen(lambda _, session, method, __: listener(session, method)),
        watch=rooms.servers.subscriptions.listen,
        tasks=basis.tasks,
        control_url=addresses.control,
    )


def _unasked(rooms: Rooms) -> Callable[[str], bool]:
    """Return what says whether a list of a server may be asked for without a person: no agent asks them for a list."""
    return lambda name: rooms.decisions.rules.ruling(ToolId(SERVER, name), required=False).decision is Decision.ALLOW


def _report(request: Request, problem: Exception) -> None:
    _log.error("a route failed", path=request.url.path, method=request.method, exc_info=problem)

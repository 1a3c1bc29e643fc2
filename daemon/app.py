"""The composition root: the one place where services are built and wired."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.types import ASGIApp

from daemon.api.agent import agent_app
from daemon.api.apps import agent_door, bare_control_app, control_door
from daemon.api.browser import BrowserSessions
from daemon.api.denials import Denials
from daemon.api.services import Services
from daemon.api.stopping import Stopping
from daemon.approvals.feed import ApprovalFeed
from daemon.approvals.following import SessionFollower
from daemon.approvals.rules import Decision, Rule, Rules
from daemon.approvals.service import Approvals
from daemon.audit.repeats import Repeats
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import Clock, Entropy, IdSource
from daemon.base.faults import FaultPoints
from daemon.base.home import Home
from daemon.base.logging import redact_text
from daemon.base.processes import Processes
from daemon.base.settings import Settings
from daemon.base.tasks import TaskSet
from daemon.connectors.http.client import OutboundHttp
from daemon.connectors.http.records import NetworkPolicy
from daemon.connectors.keyring import Keyring
from daemon.connectors.service import ConnectorService
from daemon.connectors.store import ConnectorStore
from daemon.connectors.wasm.runtime import WasmRuntime
from daemon.core.authority import HostPort
from daemon.core.failures import Failure
from daemon.core.providers import Provider, Providers, Style
from daemon.core.tools import ToolId
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.db.reader import Reader
from daemon.execution.admission import Admission
from daemon.execution.build import build_execution
from daemon.execution.seam import ToolProvider
from daemon.gateway.proxy import Gateway
from daemon.housekeeping import keep_house
from daemon.landing_setup import start_workspaces
from daemon.lifecycle.bounds import agent_bounds
from daemon.lifecycle.listeners import Listener
from daemon.net.http1.pool import Pool
from daemon.opening import open_log, take_up
from daemon.sandbox.berth_keeper import BerthKeeper
from daemon.sandbox.berth_maker import BerthMaker
from daemon.sandbox.container_options import Limits
from daemon.sandbox.engine import Engine as ContainerEngine
from daemon.sandbox.images import Images
from daemon.sandbox.packing import Packing, PackingLimits
from daemon.sandbox.service import Sandboxes
from daemon.sandbox.starting import Starter
from daemon.sandbox.workplace import Workplaces
from daemon.sessions.keyfile import load_key
from daemon.sessions.service import Sessions
from daemon.sessions.tokens import TokenAuthority
from daemon.tools.actions.catalog import ActionCatalog
from daemon.tools.actions.provider import KIND as ACTION
from daemon.tools.actions.provider import ActionProvider
from daemon.vault.bindings import Bindings
from daemon.vault.vault import Vault
from daemon.version import VERSION
from daemon.web.pages import add_pages
from daemon.workspaces.layers import Layers
from daemon.workspaces.off_limits import OffLimits
from daemon.workspaces.quota import Bounds

_SWEEP_AGAIN_SECONDS = 10.0
_TIDY_SECONDS = 3600.0

_log = structlog.get_logger("daemon")


class Daemon:
    """The running services and the two apps over them."""

    def __init__(
        self,
        *,
        services: Services,
        tasks: TaskSet,
        stopping: Stopping,
        engine: Engine,
        http: OutboundHttp,
        runtime: WasmRuntime,
    ) -> None:
        self._services = services
        self._tasks = tasks
        self._stopping = stopping
        self._engine = engine
        self._http = http
        self._runtime = runtime
        self.token = services.master_token
        control = bare_control_app(services, stopping, _report, stop=_ask_to_stop)
        add_pages(control, services)
        self.control_app: ASGIApp = control_door(control, services)
        self.agent_app: ASGIApp = agent_door(agent_app(services, stopping, _report), services)

    async def set_addresses(self, control_url: str, agent_url: str) -> None:
        """Tell the services where they can be reached."""
        self._services.addresses.control = control_url
        self._services.addresses.agent = agent_url

    def begin_drain(self) -> None:
        """Take no new runs, and let long polls and streams end."""
        self._services.executor.begin_drain()
        self._stopping.event.set()

    def active_runs(self) -> int:
        """Count the runs under way."""
        return self._services.executor.active

    async def close(self) -> None:
        """Stop everything, in the reverse order of its making; the log is last, because the others write to it."""
        await self._services.sandboxes.close()
        self._services.workspaces.close()
        await self._tasks.close()
        self._runtime.close()
        await self._http.close()
        await self._services.gateway.close()
        await self._services.connectors.close()
        self._services.processes.close()
        await self._services.vault.close()
        await self._services.repeats.close()
        await self._services.audit.close()
        self._services.large.close()
        await self._services.reader.close()
        self._engine.dispose()


# Long, because it is the one list of all parts, in the order in which each needs the ones before it.
async def start(
    *,
    settings: Settings,
    home: Home,
    clock: Clock,
    entropy: Entropy,
    faults: FaultPoints,
    more_providers: Sequence[ToolProvider] = (),
) -> Daemon:
    """Build every service, settle what the last daemon left behind, and begin to dispatch.

    `more_providers` are kinds of tools beside those that the daemon has itself.
    """
    started_ms = clock.now_ms()
    ids = IdSource(clock=clock, entropy=entropy)
    tasks = TaskSet()
    migrate(home.database_path, backups=home.backups_dir, now_ms=started_ms)
    engine = open_engine(home.database_path)
    reader = Reader(engine)
    signer = CheckpointSigner.open(home.ca_dir / "audit.key")
    budget, large, audit = open_log(
        settings, home, engine=engine, signer=signer, clock=clock, ids=ids, entropy=entropy, faults=faults
    )
    repeats = Repeats(audit=audit, clock=clock, ids=ids)
    vault = Vault(
        path=home.vault_path, clock=clock, idle_seconds=settings.vault.auto_lock, entropy=entropy, faults=faults
    )
    bindings = Bindings(vault)
    keyring = Keyring(path=home.keyring_path, clock=clock, entropy=entropy)
    runtime = WasmRuntime(
        cache_dir=home.cache_dir / "wasm",
        threads=settings.limits.wasm_threads,
        active=settings.limits.active_guests,
        clock=clock,
        entropy=entropy,
    )
    allow_private = frozenset(HostPort.parse(text) for text in settings.network.allow_private)
    http = OutboundHttp(
        policy=NetworkPolicy(
            allow_private=allow_private,
            extra_ca_file=settings.network.extra_ca_file,
            user_agent=f"aileron/{VERSION}",
        ),
        clock=clock,
        entropy=entropy,
    )
    await http.start()
    store = ConnectorStore(home.store_dir, clock=clock, entropy=entropy, faults=faults)
    connectors = ConnectorService(
        store=store,
        keyring=keyring,
        runtime=runtime,
        http=http,
        credentials=bindings,
        audit=audit,
        clock=clock,
        redact=redact_text,
    )
    await connectors.open()
    approvals = Approvals(audit=audit, reader=reader, clock=clock, ids=ids, feed=ApprovalFeed(), faults=faults)
    sessions = Sessions(
        audit=audit,
        reader=reader,
        clock=clock,
        ids=ids,
        authority=TokenAuthority(key=load_key(home.ca_dir / "session.key", entropy=entropy)),
    )
    follower = SessionFollower(approvals=approvals)
    sessions.on_end(follower.session_ended)
    await take_up(
        audit=audit, sessions=sessions, approvals=approvals, follower=follower, reader=reader, ids=ids, tasks=tasks
    )
    rules = _rules(settings)
    catalog = ActionCatalog(folder=home.actions_dir)
    actions = ActionProvider(catalog=catalog, connectors=connectors, clock=clock, tasks=tasks)
    execution = build_execution(
        providers=(actions, *more_providers),
        approvals=approvals,
        rules=rules,
        sessions=sessions,
        audit=audit,
        repeats=repeats,
        budget=budget,
        admission=Admission(
            most=settings.limits.max_concurrent_runs,
            queued=settings.limits.queued_runs,
            wait_seconds=settings.limits.wait_seconds,
        ),
        clock=clock,
        ids=ids,
        tasks=tasks,
        faults=faults,
        on_vault_change=vault.on_change,
    )
    processes = Processes()
    keep_house(tasks, vault=vault, sessions=sessions, audit=audit, repeats=repeats, processes=processes)
    denials = Denials(repeats)
    gateway = Gateway(
        providers=Providers(
            Provider.configured(name, style=Style(given.style), base_url=given.base_url, headers=given.headers)
            for name, given in settings.gateway.providers.items()
        ),
        keys=bindings,
        sessions=sessions,
        audit=audit,
        repeats=repeats,
        budget=budget,
        pool=Pool(
            extra_ca_file=settings.network.extra_ca_file,
            connect_seconds=settings.gateway.connect_seconds,
            allow_private=allow_private,
        ),
        denied=denials.record,
        clock=clock,
        header_seconds=settings.gateway.header_seconds,
    )
    sessions.on_end(gateway.cut)
    agent_apps: list[Callable[[str, str], ASGIApp]] = []
    engine_of_containers = ContainerEngine(socket=settings.sandbox.docker_socket)
    off_limits = OffLimits(
        homes=(home.path, Home.find({}).path), person=Path.home(), sockets=(engine_of_containers.socket_path,)
    )
    berth_maker = BerthMaker(
        engine=engine_of_containers,
        clock=clock,
        ca_dir=home.ca_dir,
        home=str(home.path),
        listen=lambda place, issued: Listener(
            port=0,
            host=place,
            certificate=(issued.certificate, issued.key),
            bounds=agent_bounds(settings.sandbox.connections),
        ),
        reach=settings.sandbox.reach,
    )
    berths = BerthKeeper(
        engine=engine_of_containers,
        maker=berth_maker,
        folder=home.sandboxes_dir,
        draw_session=sessions.draw_id,
        ready_seconds=settings.sandbox.ready_seconds,
    )
    workplaces = Workplaces(
        layers=Layers(home.workspaces_dir, clock=clock),
        engine=engine_of_containers,
        off_limits=off_limits,
        bounds=Bounds(quota=settings.workspace.quota, spare=settings.workspace.spare),
    )
    images = Images(engine_of_containers)
    starter = Starter(
        engine=engine_of_containers,
        berths=berths,
        workplaces=workplaces,
        audit=audit,
        home=str(home.path),
        make_app=lambda session, url: agent_apps[0](session, url),  # noqa: PLW0108 - it is made last
        bound=lambda: frozenset(name for name, each in gateway.providers.by_name.items() if bindings.is_granted(each)),
        usual_limits=Limits(
            memory_bytes=settings.sandbox.memory, cpus=settings.sandbox.cpus, pids=settings.sandbox.pids
        ),
    )
    sandboxes = Sandboxes(
        engine=engine_of_containers,
        images=images,
        berths=berths,
        starter=starter,
        workplaces=workplaces,
        sessions=sessions,
        audit=audit,
        folder=home.sandboxes_dir,
        home=str(home.path),
        off_limits=off_limits,
        listener_seconds=settings.sandbox.listener_seconds,
    )
    packing = Packing(
        engine=engine_of_containers,
        images=images,
        off_limits=off_limits,
        home=str(home.path),
        limits=PackingLimits(pack_bytes=settings.workspace.pack, memory_bytes=settings.sandbox.memory),
    )
    workspaces = await start_workspaces(
        settings, packing=packing, layers=workplaces.layers, audit=audit, ids=ids, faults=faults
    )
    services = Services(
        settings=settings,
        home=home,
        clock=clock,
        started_ms=started_ms,
        master_token=entropy(32).hex(),
        reader=reader,
        audit=audit,
        repeats=repeats,
        budget=budget,
        large=large,
        signer=signer,
        vault=vault,
        bindings=bindings,
        connectors=connectors,
        keyring=keyring,
        catalog=catalog,
        tools=execution.tools,
        executor=execution.executor,
        previews=execution.previews,
        explanations=execution.explanations,
        approvals=approvals,
        rules=rules,
        gateway=gateway,
        sessions=sessions,
        sandboxes=sandboxes,
        workspaces=workspaces,
        processes=processes,
        browser=BrowserSessions(clock=clock, entropy=entropy),
        denials=denials,
    )
    stopping = Stopping()
    agent_apps.append(
        lambda session, url: agent_door(
            agent_app(services, stopping, _report), services, own_url=url, only_session=session
        )
    )
    tasks.start(_sweep(sandboxes, packing), name="sweep sandboxes")
    tasks.start(_tidy(workplaces, settings), name="tidy workspaces")
    return Daemon(
        services=services,
        tasks=tasks,
        stopping=stopping,
        engine=engine,
        http=http,
        runtime=runtime,
    )


def _rules(settings: Settings) -> Rules:
    """Return what the person decided beforehand; so far there are such rules for actions only."""
    given = settings.approvals.rules.items()
    return Rules({ToolId(ACTION, name): Rule(decision=Decision(r.decision), reason=r.reason) for name, r in given})


async def _sweep(sandboxes: Sandboxes, packing: Packing) -> None:
    """Remove what an earlier daemon left of its sandboxes; the engine may be away for a while."""
    while True:
        try:
            removed = await sandboxes.sweep() + await packing.sweep()
        except Failure as failure:
            _log.warning("sandboxes of an earlier daemon cannot be removed yet", reason=failure.message)
            await asyncio.sleep(_SWEEP_AGAIN_SECONDS)
            continue
        if removed:
            _log.warning("removed what an earlier daemon left of its sandboxes", count=removed)
        return


async def _tidy(workplaces: Workplaces, settings: Settings) -> None:
    """Remove workspaces that are old or too large, of those that somebody looked at."""
    layers, kept = workplaces.layers, settings.workspace
    await workplaces.run(layers.clear)
    while True:
        try:
            removed = await workplaces.run(lambda: layers.tidy(keep_seconds=kept.keep, room=kept.room))
        except (OSError, Failure) as problem:
            _log.warning("workspaces could not be tidied; the next round tries again", reason=str(problem))
        else:
            if removed:
                _log.info("removed workspaces that somebody had looked at", sessions=removed)
        await asyncio.sleep(_TIDY_SECONDS)


def _report(request: Request, problem: Exception) -> None:
    _log.error("a route failed", path=request.url.path, method=request.method, exc_info=problem)


def _ask_to_stop() -> None:
    # The answer goes out first; the signal takes the same way as one from outside.
    asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGTERM)

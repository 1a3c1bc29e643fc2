"""Brings a sandbox up in its berth, from what a launch asks for to the agent's own start."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox import containers, volumes
from daemon.sandbox.berth import Berth
from daemon.sandbox.berths import Berths
from daemon.sandbox.container import Limits, Spec
from daemon.sandbox.engine import Engine
from daemon.sandbox.foreign import ForeignImage
from daemon.sandbox.git_identity import NOBODY, Identity
from daemon.sandbox.images import Pin
from daemon.sandbox.injection import tools_volume
from daemon.sandbox.labels import labels
from daemon.sandbox.launching import OF_THE_CONTAINER, OF_THE_NETWORK, Inside, agent_plan, command_plan, start_file
from daemon.sandbox.lifeline import SandboxFront
from daemon.sandbox.reach import DECOY_PORT
from daemon.sandbox.sandbox import Sandbox
from daemon.sandbox.volumes import Mounted
from daemon.sandbox.workplace import WantedWay, Workplace, Workplaces
from daemon.sessions.service import Owner
from daemon.workspaces.values import Way
from launchers.plan import LaunchError

START_FILE = "start.json"
START_SECONDS = 60.0
_LOOK_SECONDS = 0.5

MakeApp = Callable[[str, str], ASGIApp]
"""Makes the agent API for one session at one URL."""


class _NotMountedError(Exception):
    """The engine or the kernel does not mount the layer: what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a launch asks for."""

    agent: str
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    """Any other program; then the agent only names the image."""
    image: str | None = None
    """Somebody else's image, in which our tools are mounted."""
    workspace: Path
    """Where the person launched. Of a session that is resumed, the folder it began with counts."""
    workspace_way: WantedWay = "auto"
    resume: str | None = None
    """The session whose layer goes on in this one."""
    git: Identity = NOBODY
    label: str = ""
    owner: Owner | None = None
    terminal: bool = False
    size: tuple[int, int] = (80, 24)
    user: str | None = None
    network: str = "internal"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Limits
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a launch stands on, once everything it asks for is known to be possible."""

    wanted: Wanted
    workplace: Workplace
    """What was opened; nothing resolves a name again."""
    pin: Pin
    foreign: ForeignImage | None
    user: str
    rootless: bool
    without_limits: Sequence[str]


class Starter:
    """Knows the steps, and in which order they prove what."""

    def __init__(
        self,
        *,
        engine: Engine,
        berths: Berths,
        workplaces: Workplaces,
        audit: AuditLog,
        home: str,
        make_app: MakeApp,
        bound: Callable[[], frozenset[str]],
    ) -> None:
        self._engine = engine
        self._berths = berths
        self._workplaces = workplaces
        self._audit = audit
        self._home = home
        self._make_app = make_app
        self._bound = bound

    async def bring_up(self, sandbox: Sandbox, ground: Ground) -> None:
        """Start the agent, or raise Failure; what there is by then, the caller undoes."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._bring_up(sandbox, ground)
        except _NotMountedError as why:
            # Making the copy may take long, so the time begins anew.
            await self._workplaces.copy_instead(sandbox.workplace, f"the engine does not lay a layer over it ({why})")
            async with asyncio.timeout(START_SECONDS):
                await self._bring_up(sandbox, ground)

    async def _bring_up(self, sandbox: Sandbox, ground: Ground) -> None:
        berth = sandbox.berth
        await self._berths.settle(berth, ground.pin.tag)
        berth.door.behind = SandboxFront(sandbox, self._make_app(sandbox.session, berth.url))
        mounted = await self._workplaces.mounts(
            sandbox.workplace, sandbox.session, anchor=berth.anchor, copies=berth.folder / "held-files"
        )
        with _decoy(berth) as closed_port:
            self._place(sandbox, ground, closed_port)
            await self._run_container(sandbox, ground, mounted)
            sandbox.may_probe.set()
            report = await self._report(sandbox)
        wrong = dict.fromkeys(_expected(sandbox) - report.keys(), "nothing was said of it")
        wrong |= {name: finding for name, finding in report.items() if finding is not None}
        if wrong:
            told = "; ".join(f"{name}: {finding}" for name, finding in wrong.items())
            raise Failure(
                FailureClass.INTERNAL_ERROR,
                f"The sandbox is not closed, so the agent was not started. {told}."[:2000],
                boundary=Boundary.SANDBOX,
            )
        await self._audit.append(
            AuditEvent(
                type="sandbox.started",
                session=sandbox.session,
                actor="user",
                payload={
                    "aileron.sandbox.agent": sandbox.agent,
                    "aileron.sandbox.network": sandbox.network_mode,
                    "aileron.sandbox.probed": sorted(report),
                    "aileron.sandbox.workspace": str(sandbox.workspace),
                    "aileron.sandbox.workspace.way": sandbox.workplace.way.value,
                    "aileron.sandbox.workspace.resumed": ground.wanted.resume,
                    "container.id": sandbox.container,
                    "container.image.name": _image(ground),
                },
            )
        )
        sandbox.may_start.set()

    async def explain(self, sandbox: Sandbox, problem: BaseException) -> Failure | None:
        """Say why a start failed, with the container's state and the last it wrote."""
        if isinstance(problem, Failure):
            failure = problem
        elif isinstance(problem, TimeoutError):
            message = f"The sandbox did not start in {START_SECONDS:g} s."
            failure = Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.SANDBOX)
        else:
            return None
        container = sandbox.container
        if container is not None:
            with contextlib.suppress(Failure):
                said = await self._engine.call(lambda client: containers.last_words(client, container))
                failure = failure.with_details(said)
        return failure

    def _place(self, sandbox: Sandbox, ground: Ground, closed_port: int) -> None:
        """Write what the first process reads."""
        wanted, berth = ground.wanted, sandbox.berth
        inside = Inside(
            session=sandbox.session,
            token=sandbox.token,
            address=berth.address,
            port=berth.port,
            closed_port=closed_port,
            network=sandbox.network_mode,
            folder=sandbox.workplace.site.folder_inside,
            read_only=sandbox.workplace.read_only,
            git=wanted.git,
            bound=self._bound(),
            environment=wanted.environment,
            rootless=ground.rootless,
        )
        try:
            plan = (
                command_plan(wanted.command, inside)
                if wanted.command
                else agent_plan(wanted.agent, ground.pin.numbers, wanted.arguments, inside)
            )
        except LaunchError as problem:
            raise usage(str(problem)) from problem
        path = berth.run / START_FILE
        path.touch(mode=0o600)
        path.write_text(start_file(plan, inside))
        uid, _, gid = ground.user.partition(":")
        if ground.rootless:
            return
        if os.geteuid() == 0:
            os.chown(path, int(uid), int(gid))
        elif int(uid) != os.geteuid():
            raise usage("Only root may launch an agent as another user.")

    async def _run_container(self, sandbox: Sandbox, ground: Ground, mounted: Sequence[Mounted]) -> None:
        """Start the container; its first process waits until its network is closed."""
        wanted, foreign, berth = ground.wanted, ground.foreign, sandbox.berth
        marks = labels(self._home, sandbox.session, "agent")
        tools = None
        if foreign is not None:
            tools = await tools_volume(self._engine, ground.pin.tag, f"aileron-{sandbox.session}", marks)
        spec = Spec(
            image=_image(ground),
            name=f"aileron-{sandbox.session}",
            user=ground.user,
            workspace=mounted,
            run_folder=str(berth.run),
            tools=tools,
            anchor=berth.anchor,
            labels=marks,
            limits=replace(wanted.limits, cpus=None) if "processors" in ground.without_limits else wanted.limits,
            terminal=wanted.terminal,
            environment={} if foreign is None else {"PATH": foreign.path},
        )
        await self._engine.call(lambda client: volumes.make(client, mounted, marks))
        container = await self._engine.call(lambda client: containers.create(client, spec))
        sandbox.container = container
        try:
            sandbox.attachment = await self._engine.call(
                lambda client: containers.start(client, container, spec, wanted.size)
            )
        except Failure as failure:
            if sandbox.workplace.way is not Way.OVERLAY or not volumes.was_not_mounted(failure):
                raise
            sandbox.container = None
            await self._engine.call(lambda client: _unmake(client, container, mounted))
            raise _NotMountedError(failure.message[-200:]) from failure
        if berth.closed is not None:
            await asyncio.shield(berth.closed)

    async def _report(self, sandbox: Sandbox) -> Mapping[str, Any]:
        """Return what the first process found, or raise Failure as soon as it is gone."""
        container = str(sandbox.container)
        while not (await asyncio.wait({sandbox.report}, timeout=_LOOK_SECONDS))[0]:
            if not await self._engine.call(lambda client: containers.is_running(client, container)):
                message = "The first process of the sandbox ended before it had proved anything."
                raise Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.SANDBOX)
        return sandbox.report.result()


def _unmake(client: Any, container: str, mounted: Sequence[Mounted]) -> None:
    containers.remove(client, container)
    volumes.remove(client, mounted)


def _expected(sandbox: Sandbox) -> set[str]:
    """Return what a proof must say something of, by name."""
    protected = {f"{path} is read-only" for path in sandbox.workplace.read_only}
    return protected | OF_THE_CONTAINER | (set() if sandbox.berth.outside else OF_THE_NETWORK)


@contextlib.contextmanager
def _decoy(berth: Berth) -> Iterator[int]:
    """Have a port beside ours that is open, and that must not be reachable from inside."""
    if berth.forwarded:
        yield DECOY_PORT
        return
    with socket.create_server((berth.address, 0)) as opened:
        yield int(opened.getsockname()[1])


def _image(ground: Ground) -> str:
    return ground.pin.tag if ground.foreign is None else ground.foreign.name


def usage(message: str) -> Failure:
    """Say what a launch may not ask for."""
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)

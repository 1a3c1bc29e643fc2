"""Starts a sandbox in its berth: from what a launch asks for to the start of the agent."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from starlette.types import ASGIApp

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.files import replace_file
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.vocabulary import Attr, EventType
from daemon.sandbox import engine_calls, volumes
from daemon.sandbox.accounts import Accounts
from daemon.sandbox.berth import Berth
from daemon.sandbox.berth_keeper import BerthKeeper
from daemon.sandbox.container_options import ContainerLimits, Spec
from daemon.sandbox.engine import Engine
from daemon.sandbox.git_identity import Identity
from daemon.sandbox.injection import tools_volume
from daemon.sandbox.labels import labels
from daemon.sandbox.lifeline import SandboxFront
from daemon.sandbox.reach import DECOY_PORT
from daemon.sandbox.sandbox import Sandbox
from daemon.sandbox.start_file import OF_THE_CONTAINER, OF_THE_NETWORK, Inside, agent_plan, command_plan, start_file
from daemon.sandbox.surveying import Ground
from daemon.sandbox.volumes import Mounted
from daemon.sandbox.workplace import Workplaces
from daemon.workspaces.values import Way
from launchers.plan import LaunchError

START_FILE = "start.json"
START_SECONDS = 60.0
_LOOK_SECONDS = 0.5

MakeApp = Callable[[str, str], ASGIApp]
"""Makes the agent API for one session at one URL."""


class _NotMountedError(Exception):
    """The engine or the kernel does not mount the layer: what it said."""


class Starter:
    """Takes the steps of a start, in the order in which each one relies on those before it."""

    def __init__(
        self,
        *,
        engine: Engine,
        berths: BerthKeeper,
        workplaces: Workplaces,
        audit: AuditLog,
        home: str,
        make_app: MakeApp,
        bound: Callable[[], frozenset[str]],
        usual_limits: ContainerLimits,
    ) -> None:
        self._engine = engine
        self._berths = berths
        self._workplaces = workplaces
        self._audit = audit
        self._home = home
        self._make_app = make_app
        self._bound = bound
        self._usual_limits = usual_limits
        self._accounts = Accounts(engine)

    def limit(self, usual: ContainerLimits) -> None:
        """Give the next sandboxes other limits, where a launch asks for none; those that run keep theirs."""
        self._usual_limits = usual

    async def bring_up(self, sandbox: Sandbox, ground: Ground) -> None:
        """Start the agent, or raise Failure. The caller removes what was made until then."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._bring_up(sandbox, ground)
        except _NotMountedError as why:
            # A copy may take long, so the time for the start begins again after it.
            await self._workplaces.copy_instead(sandbox.workplace, f"the engine does not lay a layer over it ({why})")
            async with asyncio.timeout(START_SECONDS):
                await self._bring_up(sandbox, ground)

    async def _bring_up(self, sandbox: Sandbox, ground: Ground) -> None:
        berth = sandbox.berth
        await self._berths.wait_until_made(berth, ground.pin.tag)
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
                type=EventType.SANDBOX_STARTED,
                session=sandbox.session,
                actor=sandbox.launched_by,
                payload={
                    Attr.SANDBOX_AGENT: sandbox.agent,
                    Attr.SANDBOX_NETWORK: sandbox.network_mode,
                    Attr.SANDBOX_PROBED: sorted(report),
                    Attr.SANDBOX_WORKSPACE: str(sandbox.workspace),
                    Attr.SANDBOX_WORKSPACE_WAY: sandbox.workplace.way.value,
                    Attr.SANDBOX_WORKSPACE_RESUMED: ground.request.resume,
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
                said = await self._engine.call(lambda client: engine_calls.last_words(client, container))
                failure = failure.with_details(said)
        return failure

    def _place(self, sandbox: Sandbox, ground: Ground, closed_port: int) -> None:
        """Write what the first process reads."""
        request, berth = ground.request, sandbox.berth
        inside = Inside(
            session=sandbox.session,
            token=sandbox.token,
            address=berth.address,
            port=berth.port,
            closed_port=closed_port,
            network=sandbox.network_mode,
            folder=sandbox.workplace.site.folder_inside,
            read_only=sandbox.workplace.read_only,
            git=Identity(request.git_name, request.git_email, request.git_branch),
            bound=self._bound(),
            environment=request.environment,
            rootless=ground.rootless,
        )
        try:
            plan = (
                command_plan(request.command, inside)
                if request.command
                else agent_plan(request.agent, ground.pin.numbers, request.arguments, inside)
            )
        except LaunchError as problem:
            raise usage(str(problem)) from problem
        path = berth.run / START_FILE
        replace_file(path, start_file(plan, inside).encode(), durable=False)
        uid, _, gid = ground.user.partition(":")
        if ground.rootless:
            return
        if os.geteuid() == 0:
            os.chown(path, int(uid), int(gid))
        elif int(uid) != os.geteuid():
            raise usage("Only root may launch an agent as another user.")

    async def _run_container(self, sandbox: Sandbox, ground: Ground, mounted: Sequence[Mounted]) -> None:
        """Start the container. Its first process waits for a word of the daemon, sent when the network is closed."""
        request, foreign, berth = ground.request, ground.foreign, sandbox.berth
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
            limits=self._limits_of(ground),
            terminal=request.terminal,
            environment={} if foreign is None else {"PATH": foreign.path},
            accounts=await self._accounts.write(_image(ground), ground.user, berth.run, marks),
        )
        await self._engine.call(lambda client: volumes.make(client, mounted, marks))
        container = await self._engine.call(lambda client: engine_calls.create(client, spec))
        sandbox.container = container
        try:
            sandbox.attachment = await self._engine.call(
                lambda client: engine_calls.start(client, container, spec, (request.columns, request.rows))
            )
        except Failure as failure:
            if sandbox.workplace.way is not Way.OVERLAY or not volumes.was_not_mounted(failure):
                raise
            sandbox.container = None
            await self._engine.call(lambda client: _unmake(client, container, mounted))
            raise _NotMountedError(failure.message[-200:]) from failure
        if berth.closed is not None:
            await asyncio.shield(berth.closed)

    def _limits_of(self, ground: Ground) -> ContainerLimits:
        """Return the limits that the launch asks for, and the usual ones where it asks for none."""
        request, usual = ground.request, self._usual_limits
        # Some engines cannot limit processors, and would refuse the whole container.
        cpus = None if "processors" in ground.without_limits else request.cpus or usual.cpus
        return ContainerLimits(memory_bytes=request.memory_bytes or usual.memory_bytes, cpus=cpus, pids=usual.pids)

    async def _report(self, sandbox: Sandbox) -> Mapping[str, Any]:
        """Wait for the report of the first process; raise Failure as soon as that process has ended."""
        container = str(sandbox.container)
        while not (await asyncio.wait({sandbox.report}, timeout=_LOOK_SECONDS))[0]:
            if not await self._engine.call(lambda client: engine_calls.is_running(client, container)):
                message = "The first process of the sandbox ended before it had proved anything."
                raise Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.SANDBOX)
        return sandbox.report.result()


def _unmake(client: Any, container: str, mounted: Sequence[Mounted]) -> None:
    engine_calls.remove(client, container)
    volumes.remove(client, mounted)


def _expected(sandbox: Sandbox) -> set[str]:
    """Return the names that a report must mention."""
    protected = {f"{path} is read-only" for path in sandbox.workplace.read_only}
    return protected | OF_THE_CONTAINER | (set() if sandbox.berth.outside else OF_THE_NETWORK)


@contextlib.contextmanager
def _decoy(berth: Berth) -> Iterator[int]:
    """Open another port beside ours, and yield its number. The probe must find that nobody inside reaches it."""
    if berth.forwarded:
        yield DECOY_PORT
        return
    with socket.create_server((berth.address, 0)) as opened:
        yield int(opened.getsockname()[1])


def _image(ground: Ground) -> str:
    return ground.pin.tag if ground.foreign is None else ground.foreign.name


def usage(message: str) -> Failure:
    """Make the failure for a launch that asks for what it may not."""
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)

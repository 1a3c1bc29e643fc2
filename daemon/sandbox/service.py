"""Starts sandboxes, watches over them, and leaves nothing behind: the one owner of every container of ours."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from starlette.types import ASGIApp

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.clock import Clock
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox import containers, firewall
from daemon.sandbox.authority import Authority, Issued
from daemon.sandbox.container import HOST, Limits, Spec
from daemon.sandbox.engine import Engine
from daemon.sandbox.foreign import ForeignImage
from daemon.sandbox.images import Images, Pin
from daemon.sandbox.injection import checked, examine, tools_volume
from daemon.sandbox.labels import labels
from daemon.sandbox.launching import Inside, agent_plan, command_plan, start_file
from daemon.sandbox.lifeline import SandboxFront
from daemon.sandbox.places import clear_placeholders, hand_over, look_at, make_placeholders, must_not_be_shared
from daemon.sandbox.protection import Mount, ProtectionError
from daemon.sandbox.sandbox import OpenListener, Sandbox
from daemon.sandbox.user import user_for
from daemon.sessions.service import Owner, SessionKind, Sessions
from daemon.sessions.tokens import Capability
from launchers.plan import LaunchError

_log = structlog.get_logger("daemon.sandbox")
_LIFETIME_MS = 30 * 86_400_000
_START_SECONDS = 60.0
_SHOWN_LOG_LINES = 50
_AGAIN_SECONDS = 5.0
_LOOK_SECONDS = 0.5
_RECORD = "placeholders.json"
_RULES = "rules.nft"

Listen = Callable[[str, Issued], OpenListener]
"""Binds a listener to an address, with a certificate."""
MakeApp = Callable[[str, str], ASGIApp]
"""Makes the agent API for one session at one URL."""


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
    label: str = ""
    owner: Owner | None = None
    terminal: bool = False
    size: tuple[int, int] = (80, 24)
    user: str | None = None
    network: str = "internal"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Limits
    seconds: float | None = None


class Sandboxes:
    """Knows every sandbox of this daemon."""

    def __init__(
        self,
        *,
        engine: Engine,
        images: Images,
        sessions: Sessions,
        audit: AuditLog,
        clock: Clock,
        folder: Path,
        ca_dir: Path,
        home: str,
        listen: Listen,
        make_app: MakeApp,
        bound: Callable[[], frozenset[str]],
        listener_seconds: float,
    ) -> None:
        self._listener_seconds = listener_seconds
        self.engine = engine
        self.images = images
        self._sessions = sessions
        self._audit = audit
        self._clock = clock
        self._folder = folder
        self._ca_dir = ca_dir
        self._home = home
        self._listen = listen
        self._make_app = make_app
        self._bound = bound
        self._authority: Authority | None = None
        self._by_session: dict[str, Sandbox] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        sessions.on_end(self._session_ended)

    def get(self, session: str) -> Sandbox:
        """Return a sandbox that is there."""
        found = self._by_session.get(session)
        if found is None:
            raise Failure(FailureClass.NOT_FOUND, f"There is no sandbox {session}.", boundary=Boundary.USER)
        return found

    def all(self) -> list[Sandbox]:
        """Return the sandboxes there are."""
        return list(self._by_session.values())

    async def examine(self, image: str) -> list[str]:
        """Return what somebody else's image lacks."""
        return (await examine(self.engine, image, labels(self._home, "none", "examined")))[1]

    async def start(self, wanted: Wanted) -> Sandbox:
        """Start an agent; return when it runs, or raise Failure when nothing is left of the try."""
        await self._check_engine()
        workspace = wanted.workspace.resolve()
        if not workspace.is_dir():
            raise _usage(f"{workspace} is not a folder.")
        problem = must_not_be_shared(workspace, homes=(Path(self._home), Path.home()))
        if problem is not None:
            raise _usage(problem)
        owner = workspace.stat()
        user = user_for(
            caller=(os.getuid(), os.getgid()),
            owner=(owner.st_uid, owner.st_gid),
            wanted=wanted.user,
            workspace=str(workspace),
        )
        try:
            protected = look_at(workspace)
        except ProtectionError as problem:
            raise _usage(str(problem)) from problem
        pin = self.images.pin(wanted.agent)
        if not await self.images.is_there(pin.tag):
            message = f"The image for {wanted.agent} is not there. Build it: aileron sandbox build {wanted.agent}"
            raise Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.SANDBOX, details={"image": pin.tag})
        foreign = None
        if wanted.image is not None:
            foreign = await checked(self.engine, wanted.image, labels(self._home, "none", "examined"))
        session, token = await self._sessions.open(
            kind=SessionKind.SANDBOX,
            label=wanted.label,
            capabilities=tuple(Capability),
            lifetime_ms=_LIFETIME_MS,
            actor="user",
            owner=wanted.owner,
        )
        sandbox = Sandbox(
            session=session.id,
            agent=wanted.agent,
            folder=self._folder / session.id,
            workspace=workspace,
            network_mode=wanted.network,
            token=token,
        )
        self._by_session[session.id] = sandbox
        starting = asyncio.current_task()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._bring_up(sandbox, wanted, pin, foreign, user, protected)
        except BaseException as problem:
            failure = await self._explain(sandbox, problem)
            sandbox.why = "it did not start"
            await asyncio.shield(self._end(sandbox))
            if failure is None or (starting is not None and starting.cancelling()):
                raise
            raise failure from problem
        loop = asyncio.get_running_loop()
        sandbox.lonely = loop.call_later(self._listener_seconds, self._nobody_came, sandbox)
        if wanted.seconds is not None:
            sandbox.timer = loop.call_later(wanted.seconds, self._time_is_over, sandbox)
        return sandbox

    async def output(self, sandbox: Sandbox) -> Any:
        """Hand out what the agent writes; with the last of it the sandbox ends, and with whoever stops listening."""
        attachment = sandbox.attachment
        if attachment is None:
            raise _usage("This sandbox has not started.")
        if sandbox.lonely is not None:
            sandbox.lonely.cancel()
        try:
            async for piece in attachment.output():
                yield piece
            await self._read_outcome(sandbox)
        finally:
            if not sandbox.outcome:
                sandbox.why = "its launcher went away" if not sandbox.let_go.is_set() else sandbox.why
            await asyncio.shield(self._end(sandbox))

    async def give(self, sandbox: Sandbox, data: bytes, *, end: bool) -> None:
        """Write to the agent's standard input, or end it."""
        if sandbox.attachment is None:
            return
        with contextlib.suppress(OSError):  # it may have ended meanwhile; the output says so
            if data:
                await sandbox.attachment.give(data)
            if end:
                sandbox.attachment.end_input()

    async def resize(self, sandbox: Sandbox, columns: int, rows: int) -> None:
        """Tell the agent's terminal how large the person's is."""
        container = sandbox.container
        if container is not None and not sandbox.let_go.is_set():
            with contextlib.suppress(Failure):
                await self.engine.call(lambda client: client.resize(container, rows, columns))

    async def signal(self, sandbox: Sandbox, name: str) -> None:
        """Send a signal to the agent, through the first process."""
        container = sandbox.container
        if container is not None and not sandbox.let_go.is_set():
            with contextlib.suppress(Failure):
                await self.engine.call(lambda client: client.kill(container, name))

    async def end(self, sandbox: Sandbox, *, why: str) -> None:
        """End a sandbox and wait until nothing of it is left."""
        if not sandbox.let_go.is_set():
            sandbox.why = why
        await self._end(sandbox)

    async def close(self) -> None:
        """End every sandbox: nothing of ours runs on without a daemon."""
        for sandbox in self.all():
            sandbox.why = "the daemon stops"
        await asyncio.gather(*(self._end(sandbox) for sandbox in self.all()), return_exceptions=True)
        await self.engine.close()

    async def sweep(self) -> int:
        """Remove what a daemon that was killed left in the engine and in workspaces; return how much it was."""
        found = 0
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if folder.name not in self._by_session:
                    clear_placeholders(folder / _RECORD)
                    shutil.rmtree(folder, ignore_errors=True)
                    found += 1
        if found:
            found += await self.engine.call(lambda client: containers.sweep(client, self._home))
        return found

    async def _check_engine(self) -> None:
        described = await self.engine.describe()
        if described["desktop"] or described["rootless"]:
            kind = "Docker Desktop" if described["desktop"] else "a rootless engine"
            raise Failure(
                FailureClass.INVALID_ARGUMENTS,
                f"This is {kind}, where the gateway of a container's network is not this machine, so the daemon "
                "cannot be reached from inside. Use an engine of the system on Linux, or launch without --sandbox.",
                boundary=Boundary.SANDBOX,
            )

    async def _bring_up(
        self,
        sandbox: Sandbox,
        wanted: Wanted,
        pin: Pin,
        foreign: ForeignImage | None,
        user: str,
        protected: list[Mount],
    ) -> None:
        image = pin.tag if foreign is None else foreign.name
        run = sandbox.folder / "run"
        run.mkdir(mode=0o711, parents=True)
        run.chmod(0o755)  # it is mounted by itself; above it nobody else gets anywhere
        marks = labels(self._home, sandbox.session, "agent")
        sandbox.network, sandbox.address = await self.engine.call(
            lambda client: containers.make_network(client, sandbox.session, marks, outside=wanted.network == "open")
        )
        issued = self._issue(sandbox)
        sandbox.listener = self._listen(sandbox.address, issued)
        url = f"https://{HOST}:{sandbox.listener.port}"
        await sandbox.listener.start(SandboxFront(sandbox, self._make_app(sandbox.session, url)))
        with _decoy(sandbox.address) as closed_port:
            inside = Inside(
                session=sandbox.session,
                token=sandbox.token,
                address=sandbox.address,
                port=sandbox.listener.port,
                closed_port=closed_port,
                network=sandbox.network_mode,
                protected=[mount.path for mount in protected if mount.read_only],
                bound=self._bound(),
                environment=wanted.environment,
            )
            try:
                plan = (
                    command_plan(wanted.command, inside)
                    if wanted.command
                    else agent_plan(wanted.agent, pin.numbers, wanted.arguments, inside)
                )
            except LaunchError as problem:
                raise _usage(str(problem)) from problem
            self._place(sandbox, user, start_file(plan, inside), port=inside.port)
            make_placeholders(sandbox.workspace, protected, record=sandbox.folder / _RECORD)
            tools = None
            if foreign is not None:
                tools = await tools_volume(self.engine, pin.tag, f"aileron-{sandbox.session}", marks)
            spec = Spec(
                image=image,
                name=f"aileron-{sandbox.session}",
                user=user,
                workspace=str(sandbox.workspace),
                mounts=protected,
                run_folder=str(run),
                tools=tools,
                network=sandbox.network or "",
                address=sandbox.address,
                labels=marks,
                limits=wanted.limits,
                terminal=wanted.terminal,
                environment={} if foreign is None else {"PATH": foreign.path},
                open_network=sandbox.network_mode == "open",
            )
            await self._run_container(sandbox, spec, pin.tag, wanted.size)
            sandbox.may_probe.set()
            report = await self._report(sandbox)
        wrong = {name: finding for name, finding in report.items() if finding is not None}
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
                    "container.id": sandbox.container,
                    "container.image.name": image,
                },
            )
        )
        sandbox.may_start.set()

    def _issue(self, sandbox: Sandbox) -> Issued:
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        if self._authority is None:
            self._authority = Authority.open(self._ca_dir, now=now)
        (sandbox.folder / "run" / "ca.pem").write_bytes(self._authority.certificate_pem)
        (sandbox.folder / "run" / "ca.pem").chmod(0o644)
        return self._authority.issue(sandbox.folder, name=HOST, address=sandbox.address, now=now)

    def _place(self, sandbox: Sandbox, user: str, start: str, *, port: int) -> None:
        path = sandbox.folder / "run" / "start.json"
        path.touch(mode=0o600)
        path.write_text(start)
        uid, _, gid = user.partition(":")
        if os.geteuid() == 0:
            os.chown(path, int(uid), int(gid))
        elif int(uid) != os.geteuid():
            raise _usage("Only root may launch an agent as another user.")
        rules = firewall.ruleset(address=sandbox.address, port=port)
        (sandbox.folder / "run" / _RULES).write_text(rules)
        (sandbox.folder / "run" / _RULES).chmod(0o644)

    async def _run_container(self, sandbox: Sandbox, spec: Spec, tools: str, size: tuple[int, int]) -> None:
        """Start the container, and close its network before its first process may go on."""
        container = await self.engine.call(lambda client: containers.create(client, spec))
        sandbox.container = container
        starting = self.engine.call(lambda client: containers.start(client, container, spec, size))
        if spec.open_network:
            sandbox.attachment = await starting
            return
        marks = labels(self._home, sandbox.session, "firewall")
        preparing = self.engine.call(
            lambda client: containers.prepare_helper(client, container, tools, spec.run_folder, marks, rules=_RULES)
        )
        # Side by side, because each of them is a tenth of a second that somebody waits for.
        sandbox.attachment, helper = await asyncio.gather(starting, preparing)
        await self.engine.call(lambda client: containers.run_helper(client, helper))

    async def _report(self, sandbox: Sandbox) -> Mapping[str, Any]:
        """Return what the first process found, or raise Failure as soon as it is gone."""
        container = sandbox.container
        while not (await asyncio.wait({sandbox.report}, timeout=_LOOK_SECONDS))[0]:
            if not await self.engine.call(lambda client: client.inspect_container(container)["State"]["Running"]):
                message = "The first process of the sandbox ended before it had proved anything."
                raise Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.SANDBOX)
        return sandbox.report.result()

    async def _explain(self, sandbox: Sandbox, problem: BaseException) -> Failure | None:
        """Say why a start failed, with the container's state and the last it wrote."""
        if isinstance(problem, Failure):
            failure = problem
        elif isinstance(problem, TimeoutError):
            message = f"The sandbox did not start in {_START_SECONDS:g} s."
            failure = Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.SANDBOX)
        else:
            return None
        container = sandbox.container
        if container is not None:
            with contextlib.suppress(Failure):

                def look(client: Any) -> tuple[str, str]:
                    state = client.inspect_container(container)["State"]
                    logs = client.logs(container, tail=_SHOWN_LOG_LINES).decode(errors="replace")
                    return f"{state['Status']}, exit code {state['ExitCode']}", logs.strip()

                state, logs = await self.engine.call(look)
                failure.details |= {"container": state, "log": logs}
        return failure

    async def _read_outcome(self, sandbox: Sandbox) -> None:
        container = sandbox.container

        def look(client: Any) -> dict[str, Any]:
            code = client.wait(container, timeout=20)["StatusCode"]
            state = client.inspect_container(container)["State"]
            return {"code": code, "out_of_memory": bool(state.get("OOMKilled"))}

        if sandbox.outcome:
            return  # it is known already why it had to end
        try:
            sandbox.outcome = await self.engine.call(look)
        except Failure as failure:
            sandbox.outcome = {"code": 70, "problem": failure.message}
            if not sandbox.let_go.is_set():
                sandbox.why = "the Docker engine went away"
        if sandbox.let_go.is_set():
            sandbox.outcome["ended_because"] = sandbox.why

    def _nobody_came(self, sandbox: Sandbox) -> None:
        sandbox.why = "nobody came to listen"
        self._begin_end(sandbox)

    def _time_is_over(self, sandbox: Sandbox) -> None:
        sandbox.why = "its time was over"
        sandbox.outcome = {"code": 124, "ended_because": sandbox.why}
        self._begin_end(sandbox)

    def _session_ended(self, session: str) -> None:
        sandbox = self._by_session.get(session)
        if sandbox is not None and not sandbox.let_go.is_set():
            sandbox.why = "its session ended"
            self._begin_end(sandbox)

    def _begin_end(self, sandbox: Sandbox) -> "asyncio.Task[None]":
        task = self._ending.get(sandbox.session)
        if task is None:
            sandbox.let_go.set()
            task = asyncio.get_running_loop().create_task(self._undo(sandbox), name=f"end {sandbox.session}")
            task.add_done_callback(_complain)
            self._ending[sandbox.session] = task
        return task

    async def _end(self, sandbox: Sandbox) -> None:
        """Wait for the end, or until it is clear that the rest of it must wait for the engine."""
        task = self._begin_end(sandbox)
        told = asyncio.ensure_future(sandbox.ended.wait())
        try:
            await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()

    async def _undo(self, sandbox: Sandbox) -> None:
        """Undo everything, and keep at it: an engine that is away comes back, and then what is ours goes."""
        for timer in (sandbox.timer, sandbox.lonely):
            if timer is not None:
                timer.cancel()
        waited = False
        while True:
            try:
                await self.engine.call(lambda client: containers.remove(client, sandbox.session))
                break
            except Failure as failure:
                if not waited:
                    _log.error("a sandbox cannot be removed yet", session=sandbox.session, reason=failure.message)
                    waited = True
                    sandbox.ended.set()  # those who wait for the end are told; what is left is this task's business
                    await self._end_session(sandbox)
                await asyncio.sleep(_AGAIN_SECONDS)
        if sandbox.attachment is not None:
            sandbox.attachment.close()
        if sandbox.listener is not None:
            await sandbox.listener.stop()
        moved, changed = self._tidy(sandbox)
        shutil.rmtree(sandbox.folder, ignore_errors=True)
        if moved:
            sandbox.outcome["moved_aside"] = moved
        if changed:
            sandbox.outcome["changed"] = changed
        if not waited:
            await self._end_session(sandbox)
        self._by_session.pop(sandbox.session, None)
        self._ending.pop(sandbox.session, None)
        sandbox.ended.set()

    def _tidy(self, sandbox: Sandbox) -> tuple[list[str], list[str]]:
        record = sandbox.folder / _RECORD
        for other in self.all():
            if other is not sandbox and other.workspace == sandbox.workspace and not other.let_go.is_set():
                hand_over(record, other.folder / _RECORD)
                break
        return clear_placeholders(record)

    async def _end_session(self, sandbox: Sandbox) -> None:
        payload = {"aileron.sandbox.reason": sandbox.why, "process.exit.code": sandbox.outcome.get("code")}
        event = AuditEvent(type="sandbox.ended", session=sandbox.session, actor="daemon", payload=payload)
        with contextlib.suppress(Failure):
            await self._audit.append(event)
            await self._sessions.end(sandbox.session, reason=sandbox.why, actor="daemon")


def _complain(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("a sandbox did not end as it should", task=task.get_name(), exc_info=task.exception())


class _decoy:  # noqa: N801 - a context manager that reads like a function
    """A port of the host that is open, and that must not be reachable from inside."""

    def __init__(self, address: str) -> None:
        self._socket = socket.create_server((address, 0))

    def __enter__(self) -> int:
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _usage(message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)

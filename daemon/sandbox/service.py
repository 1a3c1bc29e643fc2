"""Starts sandboxes, watches them, and removes them: the one owner of every container that this daemon makes."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.failures import Failure
from daemon.core.launch_request import LaunchRequest
from daemon.core.principal import Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.sandbox import engine_calls
from daemon.sandbox.attachment import Attachment
from daemon.sandbox.berth import Berth
from daemon.sandbox.berth_keeper import BerthKeeper
from daemon.sandbox.engine import Engine
from daemon.sandbox.images import Images
from daemon.sandbox.injection import examine
from daemon.sandbox.labels import NO_SESSION, labels
from daemon.sandbox.sandbox import Sandbox, no_sandbox
from daemon.sandbox.starting import Starter, usage
from daemon.sandbox.surveying import Ground, Surveyor
from daemon.sandbox.workplace import Workplaces
from daemon.sessions.service import Owner, SessionKind, Sessions
from daemon.sessions.tokens import Capability
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.opening import open_folder

_log = structlog.get_logger("daemon.sandbox")
_LIFETIME_MS = 30 * 86_400_000
_AGAIN_SECONDS = 5.0
_TOO_MUCH = 122
"""The exit code of a sandbox that wrote too much: that of a quota which is exceeded."""
_NETWORK_GONE = "its network went away"


class Sandboxes:
    """Owns every sandbox of this daemon.

    A sandbox passes through these states in one direction. The name on the right is what tells the state:

        surveyed   everything the launch asks for is possible; nothing exists yet        a Ground
           |       a berth is reserved and a session opened; from here on `get` finds it
        starting   network, container and first process are made, in this order          container, attachment
           |       the first process calls, looks at its network and reports             connected, may_probe, report
        running    the report was right, and the agent is started                        may_start
           |       the agent ends; or nobody reads its output, its time is over, it
           |       wrote too much, its network or its session went, somebody ends it
        ending     one task removes everything                                           ending
           |
        ended      nothing of it is left, and its session is over                        ended

    A start that fails goes from `starting` to `ending`, too. While the engine cannot be reached nothing can be
    removed: then `ended` is set early, so that those who wait are told, and the task keeps trying.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        images: Images,
        berths: BerthKeeper,
        surveyor: Surveyor,
        starter: Starter,
        workplaces: Workplaces,
        sessions: Sessions,
        audit: AuditLog,
        folder: Path,
        home: str,
        off_limits: OffLimits,
        listener_seconds: float,
    ) -> None:
        self.engine = engine
        self.images = images
        self._berths = berths
        self._surveyor = surveyor
        self._starter = starter
        self._workplaces = workplaces
        self._sessions = sessions
        self._audit = audit
        self._folder = folder
        self._home = home
        self._off_limits = off_limits
        self._listener_seconds = listener_seconds
        self._by_session: dict[str, Sandbox] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        sessions.on_end(self._session_ended)

    def get(self, session: str) -> Sandbox:
        """Return the sandbox of a session; raise Failure if there is none."""
        found = self._by_session.get(session)
        if found is None:
            raise no_sandbox(session)
        return found

    def workspace_of(self, session: str) -> Path | None:
        """Return the folder on this machine that a session works over; None if it is in no sandbox."""
        found = self._by_session.get(session)
        return None if found is None else found.workspace

    def all(self) -> list[Sandbox]:
        """Return the sandboxes that have begun and have not ended."""
        return list(self._by_session.values())

    async def examine(self, image: str) -> list[str]:
        """Return what somebody else's image lacks."""
        return (await examine(self.engine, image, labels(self._home, NO_SESSION, "examined")))[1]

    def build_own(self, context: Path, dockerfile: Path, arguments: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """Build an image from somebody's own Dockerfile, which may read its whole context; raise Failure."""
        opened = partial(open_folder, context, self._off_limits)
        opened().close()  # what is refused is said at once, before there is an answer that could not say it
        return self.images.build_own(context, dockerfile, arguments, opened=opened)

    async def start(self, request: LaunchRequest, *, owner: Owner | None, by: Principal) -> Sandbox:
        """Start an agent for who asks, and return when it runs.

        Raises Failure, and then nothing that was made for it is left.
        """
        ground = await self._surveyor.survey(request)
        try:
            berth = self._berths.reserve(ground.pin.tag, outside=request.network == "open")
        except BaseException:
            self._workplaces.drop(ground.workplace)
            raise
        try:
            session, token = await self._sessions.open(
                session_id=berth.session,
                kind=SessionKind.SANDBOX,
                label=request.label,
                capabilities=tuple(Capability),
                lifetime_ms=_LIFETIME_MS,
                actor=by,
                owner=owner,
            )
        except BaseException:
            self._berths.drop(berth)
            self._workplaces.drop(ground.workplace)
            raise
        sandbox = _sandbox_of(ground, berth, session.id, token, by=by, owner=owner)
        self._by_session[session.id] = sandbox
        starting = asyncio.current_task()
        try:
            await self._workplaces.begin(
                ground.workplace, session.id, agent=request.agent, label=request.label, user=ground.user
            )
            await self._starter.bring_up(sandbox, ground)
        except BaseException as problem:
            failure = await self._starter.explain(sandbox, problem)
            sandbox.why = "it did not start"
            await asyncio.shield(self._end(sandbox))
            if failure is None or (starting is not None and starting.cancelling()):
                raise
            raise failure from problem
        ground.workplace.started = True
        loop = asyncio.get_running_loop()
        sandbox.watch = loop.create_task(self._watch_network(sandbox), name=f"watch {sandbox.session}")
        sandbox.quota = loop.create_task(self._watch_quota(sandbox), name=f"measure {sandbox.session}")
        sandbox.quota.add_done_callback(_complain)
        sandbox.unheard = loop.call_later(self._listener_seconds, self._nobody_came, sandbox)
        if request.seconds is not None:
            sandbox.timer = loop.call_later(request.seconds, self._time_is_over, sandbox)
        if not berth.outside:
            self._berths.keep_ready(ground.pin.tag)
        return sandbox

    async def output(self, sandbox: Sandbox) -> Any:
        """Hand out what the agent writes.

        The sandbox ends with the last of it. It also ends when the reader goes away: then nobody sees the agent.
        """
        attachment = sandbox.attachment
        if attachment is None:
            raise usage("This sandbox has not started.")
        if sandbox.unheard is not None:
            sandbox.unheard.cancel()
        try:
            async for piece in attachment.output():
                yield piece
            sandbox.over.set()
            await self._read_outcome(sandbox)
        finally:
            if not sandbox.outcome:
                sandbox.why = "its launcher went away" if not sandbox.ending.is_set() else sandbox.why
            await asyncio.shield(self._end(sandbox))

    async def give(self, sandbox: Sandbox, data: bytes, *, end: bool) -> None:
        """Write to the agent's standard input, or close it."""
        if sandbox.attachment is not None:
            await sandbox.attachment.typed(data, end=end)

    async def resize(self, sandbox: Sandbox, columns: int, rows: int, *, launcher: bool = True) -> None:
        """Tell the agent's terminal how large the person's is; the launcher's size comes back when others are gone."""
        container = sandbox.container
        if launcher:
            sandbox.size = (columns, rows)
        if container is not None and not sandbox.ending.is_set():
            with contextlib.suppress(Failure):
                await self.engine.call(lambda client: client.resize(container, rows, columns))

    async def signal(self, sandbox: Sandbox, name: str) -> None:
        """Send a signal to the agent, through the first process."""
        container = sandbox.container
        if container is not None and not sandbox.ending.is_set():
            with contextlib.suppress(Failure):
                await self.engine.call(lambda client: client.kill(container, name))

    async def end(self, sandbox: Sandbox, *, why: str, by: Principal) -> None:
        """End a sandbox and wait until nothing of it is left."""
        if not sandbox.ending.is_set():
            sandbox.why, sandbox.ended_by = why, by
        await self._end(sandbox)

    async def close(self) -> None:
        """End every sandbox, because no agent may run without the daemon."""
        for sandbox in self.all():
            sandbox.why = "the daemon stops"
        ending = (self._end(sandbox) for sandbox in self.all())
        await asyncio.gather(*ending, self._berths.close(), return_exceptions=True)
        await self.engine.close()
        self._workplaces.close()

    def listen_within(self, seconds: float) -> None:
        """End the next sandboxes when nobody has read their output after another time."""
        self._listener_seconds = seconds

    async def prune(self, *, everything: bool) -> list[str]:
        """Remove images. The spare berth is removed first, because its containers use one of them."""
        await self._berths.empty()
        return await self.images.prune(everything=everything)

    async def sweep(self) -> int:
        """Remove what a killed daemon left in the engine, and return how many things that were. Layers are kept."""
        if not self._folder.is_dir():
            return 0
        stale = [folder for folder in self._folder.iterdir() if not self._berths.is_ours(folder.name)]
        found = len(stale)
        if stale:
            sessions = {folder.name for folder in stale}
            found += await self.engine.call(lambda client: engine_calls.sweep(client, self._home, sessions))
        for folder in stale:  # last: while the engine is away, the folder is how we know of it
            shutil.rmtree(folder, ignore_errors=True)
        return found

    async def _read_outcome(self, sandbox: Sandbox) -> None:
        container = sandbox.container

        def look(client: Any) -> dict[str, Any]:
            code = client.wait(container, timeout=20)["StatusCode"]
            state = client.inspect_container(container)["State"]
            return {"code": code, "out_of_memory": bool(state.get("OOMKilled"))}

        if sandbox.outcome:
            return  # whoever ended it has said why
        try:
            sandbox.outcome = await self.engine.call(look)
            # When the anchor or the forwarder ends, the agent does, too, and the agent's end may reach us first.
            held = await self.engine.call(lambda client: engine_calls.are_running(client, sandbox.berth.holders))
            if not held and not sandbox.ending.is_set():
                sandbox.why = sandbox.outcome["ended_because"] = _NETWORK_GONE
        except Failure as failure:
            sandbox.outcome = {"code": 70, "problem": failure.message}
            if not sandbox.ending.is_set():
                sandbox.why = "the Docker engine went away"
        if sandbox.ending.is_set():
            sandbox.outcome["ended_because"] = sandbox.why

    async def _watch_network(self, sandbox: Sandbox) -> None:
        """End a sandbox whose network is gone: its agent reaches neither the daemon nor a model any more."""
        endings = [asyncio.ensure_future(_ended(line)) for line in sandbox.berth.lines]
        try:
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for ending in endings:
                ending.cancel()
        if not sandbox.ending.is_set():
            sandbox.why = _NETWORK_GONE
            self._begin_end(sandbox)

    async def _watch_quota(self, sandbox: Sandbox) -> None:
        """End a sandbox that writes more than it may. What it has written is kept."""
        why = await self._workplaces.watch(sandbox.workplace)
        if not sandbox.ending.is_set():
            sandbox.why = why
            sandbox.outcome = {"code": _TOO_MUCH, "ended_because": why}
            self._begin_end(sandbox)

    def _nobody_came(self, sandbox: Sandbox) -> None:
        sandbox.why = "nobody came to listen"
        self._begin_end(sandbox)

    def _time_is_over(self, sandbox: Sandbox) -> None:
        sandbox.why = "its time was over"
        sandbox.outcome = {"code": 124, "ended_because": sandbox.why}
        self._begin_end(sandbox)

    def _session_ended(self, session: str) -> None:
        sandbox = self._by_session.get(session)
        if sandbox is not None and not sandbox.ending.is_set():
            sandbox.why = "its session ended"
            self._begin_end(sandbox)

    def _begin_end(self, sandbox: Sandbox) -> "asyncio.Task[None]":
        task = self._ending.get(sandbox.session)
        if task is None:
            sandbox.ending.set()
            sandbox.over.set()
            task = asyncio.get_running_loop().create_task(self._undo(sandbox), name=f"end {sandbox.session}")
            task.add_done_callback(_complain)
            self._ending[sandbox.session] = task
        return task

    async def _end(self, sandbox: Sandbox) -> None:
        """Wait until everything is removed, or until it is clear that this must wait for the engine."""
        task = self._begin_end(sandbox)
        told = asyncio.ensure_future(sandbox.ended.wait())
        try:
            await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()

    async def _undo(self, sandbox: Sandbox) -> None:
        """Remove everything. While the engine cannot be reached, try again every few seconds."""
        for pending in (sandbox.timer, sandbox.unheard, sandbox.watch, sandbox.quota):
            if pending is not None:
                pending.cancel()
        waited = False
        while True:
            try:
                await self._berths.clear(sandbox.berth)
                break
            except Failure as failure:
                if not waited:
                    _log.error("a sandbox cannot be removed yet", session=sandbox.session, reason=failure.message)
                    waited = True
                    sandbox.ended.set()  # those who wait are told; this task goes on alone
                    await self._end_session(sandbox)
                await asyncio.sleep(_AGAIN_SECONDS)
        if sandbox.attachment is not None:
            sandbox.attachment.close()
        sandbox.outcome |= await self._workplaces.end(sandbox.workplace)
        shutil.rmtree(sandbox.folder, ignore_errors=True)
        if not waited:
            await self._end_session(sandbox)
        self._by_session.pop(sandbox.session, None)
        self._ending.pop(sandbox.session, None)
        sandbox.ended.set()

    async def _end_session(self, sandbox: Sandbox) -> None:
        payload = {Attr.SANDBOX_REASON: sandbox.why, Attr.PROCESS_EXIT_CODE: sandbox.outcome.get("code")}
        event = AuditEvent(
            type=EventType.SANDBOX_ENDED, session=sandbox.session, actor=sandbox.ended_by, payload=payload
        )
        with contextlib.suppress(Failure):
            await self._audit.append(event)
        # The session is over in any case; the log says so as soon as it can be written.
        with contextlib.suppress(Failure):
            await self._sessions.end(sandbox.session, reason=sandbox.why, actor=sandbox.ended_by)


def _complain(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("a sandbox did not end as it should", task=task.get_name(), exc_info=task.exception())


def _sandbox_of(
    ground: Ground, berth: Berth, session: str, token: str, *, by: Principal, owner: Owner | None
) -> Sandbox:
    request = ground.request
    return Sandbox(
        session=session,
        agent=request.agent,
        workplace=ground.workplace,
        berth=berth,
        token=token,
        launched_by=by,
        label=request.label,
        terminal=request.terminal,
        size=(request.columns, request.rows),
        owner_pid=None if owner is None else owner.pid,
        notes=_notes(ground),
    )


def _notes(ground: Ground) -> list[str]:
    without = ", ".join(ground.without_limits)
    return [f"This engine does not limit what a container uses of: {without}."] if without else []


async def _ended(line: Attachment) -> None:
    async for _ in line.output():
        pass

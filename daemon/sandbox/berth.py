"""Where a sandbox will live, made before anybody is in it: a closed network, and a listener at its one open port.

Most of what a launch waits for depends neither on the agent nor on the workspace. So one berth is kept ready while
sandboxes are being launched; the next launch takes it, and it goes when nobody came for a while.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.core.clock import Clock
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox import containers, firewall
from daemon.sandbox.attachment import Attachment
from daemon.sandbox.authority import Authority, Issued
from daemon.sandbox.container import DOOR, HOST, Anchor, Forwarder
from daemon.sandbox.engine import Engine
from daemon.sandbox.labels import labels
from daemon.sandbox.reach import FORWARDED_PORT, GATEWAY_NAME, Reach, reach_of

_log = structlog.get_logger("daemon.sandbox")
_RULES = "rules.nft"


class OpenListener(Protocol):
    """A listener that is bound, and serves when it is told what."""

    @property
    def port(self) -> int: ...
    async def start(self, app: ASGIApp) -> None: ...
    async def stop(self) -> None: ...
    def close(self) -> None: ...


Listen = Callable[[str | Path, Issued], OpenListener]
"""Binds a listener to an address or to a socket in a folder, with a certificate."""


class Door:
    """What the listener of a berth serves: nothing, until a sandbox is behind it."""

    def __init__(self) -> None:
        self.behind: ASGIApp = PlainTextResponse("Nobody lives here yet.", status_code=503)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        await self.behind(scope, receive, send)


@dataclass(slots=True, kw_only=True)
class Berth:
    """One place; it and everything in it is known by the id that its session has, or will have."""

    session: str
    folder: Path
    outside: bool
    """Its network leads out, because the person wants that."""
    ahead: bool
    """It was made before anybody asked for it."""
    door: Door = field(default_factory=Door)
    address: str = ""
    anchor: str = ""
    """The container that holds the network, so that it is closed before the agent's own container begins."""
    forwarded: bool = False
    """Its only open port is that of a forwarder."""
    lines: list[Attachment] = field(default_factory=list)
    """The inputs of the anchor and the forwarder. When this daemon dies, they end, and those containers with them."""
    listener: OpenListener | None = None
    made: "asyncio.Task[None] | None" = None
    closed: "asyncio.Task[None] | None" = None
    """Sets the rules; nothing may begin in the network before they hold."""

    @property
    def run(self) -> Path:
        """Return the folder that the containers see."""
        return self.folder / "run"

    @property
    def url(self) -> str:
        """Return where the agent API is, as seen from inside."""
        return f"https://{HOST}:{self.port}"

    @property
    def port(self) -> int:
        """Return the one port that is open."""
        if self.forwarded:
            return FORWARDED_PORT
        if self.listener is None:
            raise RuntimeError("a berth without a listener has no port")
        return self.listener.port


class Berths:
    """Makes berths and unmakes them, and keeps one ready."""

    def __init__(
        self,
        *,
        engine: Engine,
        clock: Clock,
        folder: Path,
        ca_dir: Path,
        home: str,
        listen: Listen,
        draw_session: Callable[[], str],
        ready_seconds: float,
        reach: str,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._folder = folder
        self._ca_dir = ca_dir
        self._home = home
        self._listen = listen
        self._draw_session = draw_session
        self._ready_seconds = ready_seconds
        self._reach = reach
        self._authority: Authority | None = None
        self._spare: Berth | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._clearing: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> str | None:
        """Return the session of the berth that waits for somebody."""
        return None if self._spare is None else self._spare.session

    def reserve(self, image: str, *, outside: bool) -> Berth:
        """Return the berth that is ready, or one that is being made."""
        if self._spare is not None and not outside:
            return self._give_away()
        return self._begin(image, outside=outside, ahead=False)

    async def settle(self, berth: Berth, image: str) -> None:
        """Wait for a berth; one that was made ahead must still stand, or is made anew."""
        if not berth.ahead:
            await _finished(berth.made)
            return
        try:
            await _finished(berth.made)
            await _finished(berth.closed)
            if await self._engine.call(lambda client: containers.is_running(client, berth.anchor)):
                return
        except Failure as failure:
            _log.warning("a berth is made anew", session=berth.session, reason=failure.message)
        await self.clear(berth)
        berth.ahead = False
        berth.made = self._making(berth, image)
        await _finished(berth.made)

    def keep_ready(self, image: str) -> None:
        """Have a berth for the next launch, for a while."""
        if self._ready_seconds <= 0:
            return
        if self._spare is None:
            self._spare = self._begin(image, outside=False, ahead=True)
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(self._ready_seconds, self.let_go)

    def let_go(self) -> None:
        """Give up the berth that is ready; nobody came."""
        if self._spare is not None:
            self.drop(self._give_away())

    def drop(self, berth: Berth) -> None:
        """Unmake a berth that nobody lives in, without waiting for it."""
        task = asyncio.get_running_loop().create_task(self._clear_unused(berth))
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    async def close(self) -> None:
        """Leave nothing ready behind."""
        self.let_go()
        if self._clearing:
            await asyncio.wait(self._clearing)

    async def clear(self, berth: Berth) -> None:
        """Unmake a berth with everything in it; raise Failure while the engine is away."""
        for task in (berth.made, berth.closed):
            if task is not None:
                await asyncio.wait({task})
                if not task.cancelled():
                    task.exception()  # whoever waited for it has been told
        berth.made = berth.closed = None
        # Side by side, because somebody waits for the end of a launch, too.
        await asyncio.gather(_stopped(berth), self._remove_containers(berth.session))
        await self._engine.call(lambda client: containers.remove_rest(client, berth.session))
        for line in berth.lines:
            line.close()
        berth.lines.clear()

    async def _remove_containers(self, session: str) -> None:
        found = await self._engine.call(lambda client: containers.held(client, session))
        await asyncio.gather(*(self._engine.call(partial(containers.remove, container=each)) for each in found))

    def _give_away(self) -> Berth:
        berth, self._spare = self._spare, None
        if berth is None:
            raise RuntimeError("there is no berth to give away")
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        return berth

    async def _clear_unused(self, berth: Berth) -> None:
        with contextlib.suppress(Failure):  # without an engine it stays, and the next daemon sweeps it
            await self.clear(berth)
            shutil.rmtree(berth.folder, ignore_errors=True)

    def _begin(self, image: str, *, outside: bool, ahead: bool) -> Berth:
        session = self._draw_session()
        berth = Berth(session=session, folder=self._folder / session, outside=outside, ahead=ahead)
        berth.made = self._making(berth, image)
        return berth

    def _making(self, berth: Berth, image: str) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._make(berth, image), name=f"make {berth.session}")
        task.add_done_callback(self._seen)
        return task

    def _seen(self, task: "asyncio.Task[None]") -> None:
        """Take note of how a task ended; who takes the berth is told, and nobody has to take one that failed."""
        if task.cancelled() or task.exception() is None:
            return
        _log.warning("a berth could not be made", task=task.get_name(), reason=str(task.exception()))
        spare = self._spare
        if spare is not None and task in (spare.made, spare.closed):
            self.let_go()

    async def _make(self, berth: Berth, image: str) -> None:
        berth.run.mkdir(mode=0o755, parents=True, exist_ok=True)
        berth.run.chmod(0o755)  # it is mounted by itself; above it nobody else gets anywhere
        marks = labels(self._home, berth.session, "network")
        reach = reach_of(await self._engine.describe(), self._reach)
        network = await self._engine.call(
            lambda client: containers.make_network(
                client, berth.session, marks, outside=berth.outside, between=reach is not Reach.DIRECT
            )
        )
        if reach is Reach.DIRECT:
            berth.address = network.gateway
        else:
            berth.address = await self._forward(berth, image, network, reach)
        anchor = Anchor(
            image=image,
            name=f"aileron-{berth.session}-network",
            network=network.id,
            address=berth.address,
            labels=labels(self._home, berth.session, "anchor"),
            outside=berth.outside,
        )
        berth.anchor = await self._engine.call(lambda client: containers.create_anchor(client, anchor))
        starting = asyncio.ensure_future(
            self._engine.call(lambda client: containers.start_anchor(client, berth.anchor))
        )
        try:
            if berth.listener is None:
                await self._open(berth, berth.address, address=berth.address)
            helper = None if berth.outside else await self._helper(berth, image)
        finally:
            berth.lines.append(await starting)
        if helper is not None:
            berth.closed = asyncio.get_running_loop().create_task(
                self._engine.call(lambda client: containers.run_helper(client, helper)), name=f"close {berth.session}"
            )
            berth.closed.add_done_callback(self._seen)

    async def _forward(self, berth: Berth, image: str, network: containers.Network, reach: Reach) -> str:
        """Listen where a forwarder reaches it, and start one; return its address in the network."""
        berth.forwarded = True
        door: Path | None = None
        if reach is Reach.SOCKET:
            door = berth.folder / "door"
            door.mkdir(exist_ok=True)
            door.chmod(0o755)  # like `run`
            listener = await self._open(berth, door / "socket", address=None)
            target = f"unix:{DOOR}/socket"
        else:
            desktop = (await self._engine.describe())["desktop"]
            place = "127.0.0.1" if desktop else await self._engine.call(containers.bridge_gateway)
            listener = await self._open(berth, place, address=None)
            target = f"tcp:{GATEWAY_NAME}:{listener.port}"
        forwarder = Forwarder(
            image=image,
            name=f"aileron-{berth.session}-forwarder",
            network=network.id,
            subnet=network.subnet,
            target=target,
            door=None if door is None else str(door),
            labels=labels(self._home, berth.session, "forwarder"),
        )
        address, line = await self._engine.call(lambda client: containers.start_forwarder(client, forwarder))
        berth.lines.append(line)
        async for _ in line.output():
            return address  # it has said that it is ready
        raise Failure(FailureClass.INTERNAL_ERROR, "The forwarder did not start.", boundary=Boundary.SANDBOX)

    async def _open(self, berth: Berth, place: str | Path, *, address: str | None) -> OpenListener:
        berth.listener = self._listen(place, self._issue(berth, address))
        await berth.listener.start(berth.door)
        return berth.listener

    async def _helper(self, berth: Berth, image: str) -> str:
        rules = berth.run / _RULES
        rules.write_text(firewall.ruleset(address=berth.address, port=berth.port))
        rules.chmod(0o644)
        marks = labels(self._home, berth.session, "firewall")
        return await self._engine.call(
            lambda client: containers.prepare_helper(client, berth.anchor, image, str(berth.run), marks, rules=_RULES)
        )

    def _issue(self, berth: Berth, address: str | None) -> Issued:
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        if self._authority is None:
            self._authority = Authority.open(self._ca_dir, now=now)
        certificate = berth.run / "ca.pem"
        certificate.write_bytes(self._authority.certificate_pem)
        certificate.chmod(0o644)
        return self._authority.issue(berth.folder, name=HOST, address=address, now=now)


async def _stopped(berth: Berth) -> None:
    listener, berth.listener = berth.listener, None
    if listener is not None:
        await listener.stop()


async def _finished(task: "asyncio.Task[None] | None") -> None:
    """Wait for a task without ending it when whoever waits is ended."""
    if task is not None:
        await asyncio.shield(task)

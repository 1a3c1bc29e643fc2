"""Where a sandbox will live: a closed network with a listener at its one open port, made before anybody is in it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.base.clock import Clock
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox import containers, firewall
from daemon.sandbox.attachment import Attachment
from daemon.sandbox.authority import Authority, Issued
from daemon.sandbox.container import DOOR, HOST, Anchor, Forwarder
from daemon.sandbox.engine import Engine
from daemon.sandbox.held_pipe import HeldPipe
from daemon.sandbox.labels import labels
from daemon.sandbox.reach import FORWARDED_PORT, GATEWAY_NAME, Reach, reach_of

_RULES = "rules.nft"
_HELD = "held"


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
    """The streams of the anchor and the forwarder; they end with them. A forwarder ends when its input does."""
    held: HeldPipe | None = None
    """When this is closed, or the daemon dies, the anchor ends, and the kernel kills whatever is in the sandbox."""
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


class BerthMaker:
    """Knows how a berth is made and unmade."""

    def __init__(self, *, engine: Engine, clock: Clock, ca_dir: Path, home: str, listen: Listen, reach: str) -> None:
        self._engine = engine
        self._clock = clock
        self._ca_dir = ca_dir
        self._home = home
        self._listen = listen
        self._reach = reach
        self._authority: Authority | None = None

    async def make(self, berth: Berth, image: str) -> "asyncio.Task[None] | None":
        """Make everything of it, and return what still sets its rules; None where there are none to set."""
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
        if reach is not Reach.HOST:
            berth.held = HeldPipe.make(berth.folder / _HELD)
        anchor = Anchor(
            image=image,
            name=f"aileron-{berth.session}-network",
            network=network.id,
            address=berth.address,
            held=None if berth.held is None else str(berth.folder / _HELD),
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
        if helper is None:
            return None
        closing = self._engine.call(lambda client: containers.run_helper(client, helper))
        return asyncio.get_running_loop().create_task(closing, name=f"close {berth.session}")

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
        made, address, line = await self._engine.call(lambda client: containers.start_forwarder(client, forwarder))
        berth.lines.append(line)
        async for _ in line.output():
            return address  # it has said that it is ready
        why = await self._engine.call(lambda client: containers.last_words(client, made))
        message = "The forwarder did not start."
        raise Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.SANDBOX, details=why)

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

    async def clear(self, berth: Berth) -> None:
        """Unmake it with everything in it; raise Failure while the engine is away."""
        if berth.held is not None:  # first, because this ends the agent also while the engine is away
            berth.held.close()
            berth.held = None
        # Side by side, because somebody waits for the end of a launch, too.
        await asyncio.gather(_stopped(berth), self._remove_containers(berth.session))
        await self._engine.call(lambda client: containers.remove_rest(client, berth.session))
        for line in berth.lines:
            line.close()
        berth.lines.clear()

    async def _remove_containers(self, session: str) -> None:
        found = await self._engine.call(lambda client: containers.held(client, session))
        await asyncio.gather(*(self._engine.call(partial(containers.remove, container=each)) for each in found))


async def _stopped(berth: Berth) -> None:
    listener, berth.listener = berth.listener, None
    if listener is not None:
        await listener.stop()

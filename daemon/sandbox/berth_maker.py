"""Makes a berth, and removes it with everything in it."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from daemon.base.clock import Clock
from daemon.base.files import replace_file
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox import engine_calls, firewall
from daemon.sandbox.berth import Berth, Listen, OpenListener
from daemon.sandbox.certificates import CertificateAuthority, Issued
from daemon.sandbox.container_options import DOOR, HOST, Anchor, Forwarder
from daemon.sandbox.engine import Engine
from daemon.sandbox.held_pipe import HeldPipe
from daemon.sandbox.labels import labels
from daemon.sandbox.reach import GATEWAY_NAME, Reach, reach_of

_RULES = "rules.nft"
_HELD = "held"


class BerthMaker:
    """Makes berths and removes them; it remembers none of them."""

    def __init__(self, *, engine: Engine, clock: Clock, ca_dir: Path, home: str, listen: Listen, reach: str) -> None:
        self._engine = engine
        self._clock = clock
        self._ca_dir = ca_dir
        self._home = home
        self._listen = listen
        self._reach = reach
        self._authority: CertificateAuthority | None = None

    async def make(self, berth: Berth, image: str) -> "asyncio.Task[None] | None":
        """Make network, listener and anchor; return the task that sets the rules, or None where there are none."""
        berth.run.mkdir(mode=0o755, parents=True, exist_ok=True)
        berth.run.chmod(0o755)  # another user reads it inside; outside, the folder above it is closed to them
        marks = labels(self._home, berth.session, "network")
        reach = reach_of(await self._engine.describe(), self._reach)
        network = await self._engine.call(
            lambda client: engine_calls.make_network(
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
        berth.anchor = await self._engine.call(lambda client: engine_calls.create_anchor(client, anchor))
        starting = asyncio.ensure_future(
            self._engine.call(lambda client: engine_calls.start_anchor(client, berth.anchor))
        )
        try:
            if berth.listener is None:
                await self._open(berth, berth.address, address=berth.address)
            helper = None if berth.outside else await self._helper(berth, image)
        finally:
            berth.lines.append(await starting)
        if helper is None:
            return None
        closing = self._engine.call(lambda client: engine_calls.run_helper(client, helper))
        return asyncio.get_running_loop().create_task(closing, name=f"close {berth.session}")

    async def _forward(self, berth: Berth, image: str, network: engine_calls.Network, reach: Reach) -> str:
        """Listen where a forwarder reaches it, and start one; return its address in the network."""
        berth.forwarded = True
        door: Path | None = None
        if reach is Reach.SOCKET:
            door = berth.folder / "door"
            door.mkdir(exist_ok=True)
            door.chmod(0o755)  # as for `run`: another user reads it inside
            listener = await self._open(berth, door / "socket", address=None)
            target = f"unix:{DOOR}/socket"
        else:
            desktop = (await self._engine.describe())["desktop"]
            place = "127.0.0.1" if desktop else await self._engine.call(engine_calls.bridge_gateway)
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
        made, address, line = await self._engine.call(lambda client: engine_calls.start_forwarder(client, forwarder))
        berth.forwarder = made
        berth.lines.append(line)
        async for _ in line.output():
            return address  # its first line says that it is ready
        why = await self._engine.call(lambda client: engine_calls.last_words(client, made))
        message = "The forwarder did not start."
        raise Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.SANDBOX, details=why)

    async def _open(self, berth: Berth, place: str | Path, *, address: str | None) -> OpenListener:
        berth.listener = self._listen(place, self._issue(berth, address))
        await berth.listener.start(berth.door)
        return berth.listener

    async def _helper(self, berth: Berth, image: str) -> str:
        rules = berth.run / _RULES
        ruleset = firewall.ruleset(address=berth.address, port=berth.port)
        replace_file(rules, ruleset.encode(), mode=0o644, durable=False)
        marks = labels(self._home, berth.session, "firewall")
        return await self._engine.call(
            lambda client: engine_calls.prepare_helper(client, berth.anchor, image, str(berth.run), marks, rules=_RULES)
        )

    def _issue(self, berth: Berth, address: str | None) -> Issued:
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        if self._authority is None:
            self._authority = CertificateAuthority.open(self._ca_dir, now=now)
        replace_file(berth.run / "ca.pem", self._authority.certificate_pem, mode=0o644, durable=False)
        return self._authority.issue(berth.folder, name=HOST, address=address, now=now)

    async def clear(self, berth: Berth) -> None:
        """Remove it with everything in it; raise Failure while the engine cannot be reached."""
        if berth.held is not None:  # first, because this ends the agent even while the engine cannot be reached
            berth.held.close()
            berth.held = None
        # Both at once, because a person waits for the end of a launch.
        await asyncio.gather(_stopped(berth), self._remove_containers(berth.session))
        await self._engine.call(lambda client: engine_calls.remove_rest(client, berth.session))
        for line in berth.lines:
            line.close()
        berth.lines.clear()

    async def _remove_containers(self, session: str) -> None:
        found = await self._engine.call(lambda client: engine_calls.held(client, session))
        await asyncio.gather(*(self._engine.call(partial(engine_calls.remove, container=each)) for each in found))


async def _stopped(berth: Berth) -> None:
    listener, berth.listener = berth.listener, None
    if listener is not None:
        await listener.stop()

"""Puts the room together: the engine, closed networks, workplaces, sandboxes, and the packing of commits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Entropy
from daemon.base.home import Home
from daemon.sandbox.berth import Listen
from daemon.sandbox.berth_keeper import BerthKeeper
from daemon.sandbox.berth_maker import BerthMaker
from daemon.sandbox.container_options import ContainerLimits
from daemon.sandbox.engine import Engine
from daemon.sandbox.execs import Execs
from daemon.sandbox.images import Images
from daemon.sandbox.onlookers import Onlookers
from daemon.sandbox.packing import Packing, PackingLimits
from daemon.sandbox.service import Sandboxes
from daemon.sandbox.starting import MakeApp, Starter
from daemon.sandbox.surveying import Surveyor
from daemon.sandbox.upkeep import Upkeep
from daemon.sandbox.workplace import Workplaces
from daemon.sessions.service import Sessions
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.quota import Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What a person may set of sandboxes and of the workspaces in them."""

    docker_socket: str | None
    reach: str
    ready_seconds: float
    listener_seconds: float
    usual_limits: ContainerLimits
    """What a sandbox may use of the machine when a launch asks for nothing else."""
    written: Bounds
    packing: PackingLimits
    keep_seconds: float
    """How long a workspace is kept that somebody has looked at."""
    room: int
    """How much all of those may take of the disk."""


@dataclass(frozen=True, slots=True)
class SandboxRoom:
    """What this room offers."""

    sandboxes: Sandboxes
    starter: Starter
    execs: Execs
    onlookers: Onlookers
    packing: Packing
    upkeep: Upkeep

    def limit(self, usual: ContainerLimits, *, packing: PackingLimits) -> None:
        """Give what is started from now on other limits."""
        self.starter.limit(usual)
        self.packing.limit(packing)

    async def close(self) -> None:
        """End every sandbox: nothing of ours runs on without a daemon."""
        await self.sandboxes.close()


def build(
    *,
    home: Home,
    options: SandboxOptions,
    layers: Layers,
    sessions: Sessions,
    audit: AuditLog,
    clock: Clock,
    entropy: Entropy,
    listen: Listen,
    make_app: MakeApp,
    bound: Callable[[], frozenset[str]],
) -> SandboxRoom:
    """Join what a launch needs; `make_app` makes the agent API of one session, `bound` names providers with a key."""
    engine = Engine(socket=options.docker_socket)
    off_limits = OffLimits(homes=(home.path, Home.find({}).path), person=Path.home(), sockets=(engine.socket_path,))
    berths = BerthKeeper(
        engine=engine,
        maker=BerthMaker(
            engine=engine,
            clock=clock,
            ca_dir=home.ca_dir,
            home=str(home.path),
            listen=listen,
            reach=options.reach,
        ),
        folder=home.sandboxes_dir,
        draw_session=sessions.draw_id,
        ready_seconds=options.ready_seconds,
    )
    workplaces = Workplaces(layers=layers, engine=engine, off_limits=off_limits, bounds=options.written)
    images = Images(engine)
    starter = Starter(
        engine=engine,
        berths=berths,
        workplaces=workplaces,
        audit=audit,
        home=str(home.path),
        make_app=make_app,
        bound=bound,
        usual_limits=options.usual_limits,
    )
    sandboxes = Sandboxes(
        engine=engine,
        images=images,
        berths=berths,
        surveyor=Surveyor(engine=engine, images=images, workplaces=workplaces, home=str(home.path)),
        starter=starter,
        workplaces=workplaces,
        sessions=sessions,
        audit=audit,
        folder=home.sandboxes_dir,
        home=str(home.path),
        off_limits=off_limits,
        listener_seconds=options.listener_seconds,
    )
    packing = Packing(engine=engine, images=images, off_limits=off_limits, home=str(home.path), limits=options.packing)
    upkeep = Upkeep(sandboxes, packing, workplaces, keep_seconds=options.keep_seconds, room=options.room)
    execs = Execs(engine=engine, audit=audit, entropy=entropy)
    return SandboxRoom(sandboxes, starter, execs, Onlookers(engine, audit, sandboxes), packing, upkeep)

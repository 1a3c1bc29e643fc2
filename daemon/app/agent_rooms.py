"""The rooms around an agent: the model gateway, and sandboxes with the workspaces in them."""

from functools import partial
from pathlib import Path

from daemon.api.denials import Denials
from daemon.app.basis import Basis
from daemon.app.rooms import Rooms, allowed_private
from daemon.base.settings import Settings
from daemon.core.providers import Provider, Style
from daemon.gateway import build as gateway_room
from daemon.gateway.build import Outward
from daemon.gateway.proxy import Gateway
from daemon.lifecycle.bounds import agent_bounds
from daemon.lifecycle.listeners import Listener
from daemon.sandbox import build as sandbox_room
from daemon.sandbox.build import SandboxOptions, SandboxRoom
from daemon.sandbox.certificates import Issued
from daemon.sandbox.container_options import ContainerLimits
from daemon.sandbox.packing import PackingLimits
from daemon.sandbox.starting import MakeApp
from daemon.workspaces import build as workspaces_room
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.quota import Bounds
from daemon.workspaces.service import Workspaces


def open_gateway(basis: Basis, rooms: Rooms, denials: Denials) -> Gateway:
    """Build the gateway to the providers that the settings name."""
    settings = basis.settings
    gateway = gateway_room.build(
        providers=(
            Provider.configured(name, style=Style(given.style), base_url=given.base_url, headers=given.headers)
            for name, given in settings.gateway.providers.items()
        ),
        outward=Outward(
            extra_ca_file=settings.network.extra_ca_file,
            allow_private=allowed_private(basis),
            connect_seconds=settings.gateway.connect_seconds,
            header_seconds=settings.gateway.header_seconds,
        ),
        keys=rooms.secrets.bindings,
        sessions=rooms.sessions,
        audit=rooms.audit,
        denied=denials.record,
        clock=basis.clock,
    )
    basis.stops.push_async_callback(gateway.close)
    return gateway


async def open_sandboxes(
    basis: Basis, rooms: Rooms, gateway: Gateway, make_app: MakeApp
) -> tuple[SandboxRoom, Workspaces]:
    """Build sandboxes, and what decides about their workspaces; `make_app` makes the agent API of one session."""
    home, settings = basis.home, basis.settings
    layers = Layers(home.workspaces_dir, clock=basis.clock)
    bindings, providers = rooms.secrets.bindings, gateway.providers.by_name
    room = sandbox_room.build(
        home=home,
        options=_options(basis),
        layers=layers,
        sessions=rooms.sessions,
        audit=rooms.audit.log,
        clock=basis.clock,
        entropy=basis.entropy,
        listen=partial(_listen, settings.sandbox.connections),
        make_app=make_app,
        bound=lambda: frozenset(name for name, each in providers.items() if bindings.is_granted(each)),
    )
    basis.stops.push_async_callback(room.close)
    workspaces = await workspaces_room.build(
        layers=layers,
        packer=room.packing,
        pack_bytes=settings.workspace.pack,
        auto_yes=settings.workspace.auto_yes,
        audit=rooms.audit.log,
        ids=basis.ids,
        faults=basis.faults,
    )
    basis.stops.callback(workspaces.close)
    return room, workspaces


def container_limits(settings: Settings) -> ContainerLimits:
    """Return what a sandbox may use when its launch asks for nothing else."""
    sandbox = settings.sandbox
    return ContainerLimits(memory_bytes=sandbox.memory, cpus=sandbox.cpus, pids=sandbox.pids)


def packing_limits(settings: Settings) -> PackingLimits:
    """Return what the packing of commits may use."""
    return PackingLimits(pack_bytes=settings.workspace.pack, memory_bytes=settings.sandbox.memory)


def _options(basis: Basis) -> SandboxOptions:
    sandbox, workspace = basis.settings.sandbox, basis.settings.workspace
    return SandboxOptions(
        docker_socket=sandbox.docker_socket,
        reach=sandbox.reach,
        ready_seconds=sandbox.ready_seconds,
        listener_seconds=sandbox.listener_seconds,
        usual_limits=container_limits(basis.settings),
        written=Bounds(quota=workspace.quota, spare=workspace.spare),
        packing=packing_limits(basis.settings),
        keep_seconds=workspace.keep,
        room=workspace.room,
    )


def _listen(connections: int, place: str | Path, issued: Issued) -> Listener:
    return Listener(port=0, host=place, certificate=(issued.certificate, issued.key), bounds=agent_bounds(connections))

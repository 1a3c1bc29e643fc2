"""What the container that packs commits sees of a layer: the same as the agent, and nothing of it can be written."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from daemon.sandbox import volumes
from daemon.sandbox.volumes import Mounted
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.opening import open_folder
from daemon.workspaces.layers.site import Site, resurvey
from daemon.workspaces.values import Way


@contextmanager
def seen_by_packer(layer: Layer, off_limits: OffLimits) -> Iterator[list[Mounted]]:
    """Open the person's folder and the layer again, and describe the mounts; both are held open until the end."""
    with ExitStack() as held:
        site = resurvey(layer.parts, layer.subfolder, off_limits)
        held.callback(site.close)
        yield list(_mounts(layer, site, held))


def volume_name(session: str, part: str) -> str:
    """Return the name of a volume that only the packer has: the agent may be at work in its own."""
    return f"aileron-{session}-packed-{part}"


def _mounts(layer: Layer, site: Site, held: ExitStack) -> Iterator[Mounted]:
    lower = dict(site.opened())
    for part in layer.parts:
        if layer.way is Way.COPY:
            yield Mounted(source=str(layer.upper(part)), inside=part.inside, read_only=True, bind=True)
            continue
        upper = held.enter_context(open_folder(layer.upper(part)))
        name = volume_name(layer.session, part.name)
        yield volumes.overlay_to_read(name, lower=lower[part.name], upper=upper, inside=part.inside)
    for number, each in enumerate(site.borrowed):
        if layer.way is Way.COPY:
            yield Mounted(source=str(layer.borrowed(number)), inside=each.inside, read_only=True, bind=True)
        else:
            name = volume_name(layer.session, f"borrowed-{number}")
            yield volumes.folder(name, each.opened, inside=each.inside, read_only=True)

"""The volumes that a sandbox has its workspace in: what the engine is asked to mount, and that it is removed.

The engine mounts a volume itself, before it makes the container's own view of the files. So it can be given paths like
`/proc/<the daemon>/fd/<n>`: these name a folder that the daemon has opened, and nobody can make them another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.core.failures import Failure
from daemon.workspaces.layers.opening import Opened

_SAFELY = "nosuid,nodev"
_REFUSED = "failed to mount local volume"
"""How the engine begins when the kernel does not mount a volume as it was described."""
_CAT = "cat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """One thing that is mounted into a container."""

    source: str
    """The name of a volume; with `options`, one that is made for it. Otherwise a path, if `bind` is set."""
    inside: str
    read_only: bool = False
    bind: bool = False
    options: Mapping[str, str] | None = None


def overlay(name: str, *, lower: Opened, upper: Opened, scratch: Opened, inside: str) -> Mounted:
    """Describe a layer over a folder: what is written goes to `upper`, and `lower` stays as it is.

    `userxattr` makes the kernel keep its marks where the daemon can read them without being root. `nosuid` and `nodev`
    are there because the lower folder may hold such files already.
    """
    folders = f"lowerdir={lower.for_engine},upperdir={upper.for_engine},workdir={scratch.for_engine}"
    options = {"type": "overlay", "device": "overlay", "o": f"{_SAFELY},{folders},userxattr"}
    return Mounted(source=name, inside=inside, options=options)


def overlay_to_read(name: str, *, lower: Opened, upper: Opened, inside: str) -> Mounted:
    """Describe a layer over a folder, read-only; it can be mounted while an agent writes to it through another."""
    folders = f"lowerdir={upper.for_engine}:{lower.for_engine}"
    options = {"type": "overlay", "device": "overlay", "o": f"ro,{_SAFELY},{folders},userxattr"}
    return Mounted(source=name, inside=inside, read_only=True, options=options)


def folder(name: str, opened: Opened, *, inside: str, read_only: bool = False) -> Mounted:
    """Describe a folder that is mounted as it is."""
    mode = f"{_SAFELY},ro" if read_only else _SAFELY
    options = {"type": "none", "device": opened.for_engine, "o": f"bind,{mode}"}
    return Mounted(source=name, inside=inside, read_only=read_only, options=options)


def make(client: Any, mounted: Sequence[Mounted], marks: Mapping[str, str]) -> None:
    """Make the volumes; the engine mounts them with the first container that has them."""
    for each in mounted:
        if each.options is not None:
            client.create_volume(each.source, driver="local", driver_opts=dict(each.options), labels=dict(marks))


def remove(client: Any, mounted: Sequence[Mounted]) -> None:
    """Remove the volumes again, so that others can have their names."""
    for each in mounted:
        if each.options is not None:
            client.remove_volume(each.source, force=True)


def described(mounted: Mounted) -> dict[str, Any]:
    """Return how the engine is told of it. Nothing of an image is copied into a volume."""
    told: dict[str, Any] = {
        "Target": mounted.inside,
        "Source": mounted.source,
        "Type": "bind" if mounted.bind else "volume",
        "ReadOnly": mounted.read_only,
    }
    return told if mounted.bind else told | {"VolumeOptions": {"NoCopy": True}}


def was_not_mounted(failure: Failure) -> bool:
    """Say whether a start failed because the engine or the kernel does not mount such a volume."""
    return _REFUSED in failure.message


def shares_processes(client: Any, anchor: str) -> bool | None:
    """Say whether the engine counts processes as we do, so that `/proc/<the daemon>` means the daemon to it.

    Looked at by a container of ours that runs: its process must be here by the number that the engine says.
    None while it cannot be told yet.
    """
    number = client.inspect_container(anchor)["State"]["Pid"]
    try:
        said = Path(f"/proc/{int(number)}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if Path(said[0].decode(errors="replace")).name.startswith("runc"):
        return None
    return Path(said[0].decode(errors="replace")).name == _CAT

"""How a container reaches the daemon, by the kind of engine it runs in: pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Reach(StrEnum):
    """The ways there are."""

    DIRECT = "direct"
    """The gateway of a container's network is this machine: the daemon listens there."""
    SOCKET = "socket"
    """The same system in another network, as with a rootless engine: a forwarder, and a socket in a folder."""
    HOST = "host"
    """A virtual machine, as with Docker Desktop: a forwarder with a second network, which leads to this machine."""


FORWARDED_PORT = 8443
"""Where a forwarder listens."""
DECOY_PORT = 8444
"""Where it listens, too, so that a sandbox can prove that it does not get there."""
GATEWAY_NAME = "host.docker.internal"


def reach_of(engine: Mapping[str, Any], wanted: str) -> Reach:
    """Return the way that was asked for, or the one that fits an engine."""
    if wanted != "auto":
        return Reach(wanted)
    if engine["desktop"]:
        return Reach.HOST
    return Reach.SOCKET if engine["rootless"] else Reach.DIRECT

"""Resolve, check, dial: how the daemon comes to a connection with a service, for every kind of request.

A name is resolved once for a connection, all its addresses are checked, and one of these very addresses is dialled. So
a name that answers with another address a moment later leads nowhere else, and a name of which one address must not be
dialled is not dialled at all. Connections that are kept were dialled in the same way.
"""

import contextlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import aiohappyeyeballs

from daemon.core.authority import HostPort
from daemon.net.addresses import IpAddress, refusal
from daemon.net.resolver import Resolver

_NEXT_ADDRESS_SECONDS = 0.25
"""After this, the next address is tried beside the first one, as RFC 8305 has it."""


class AddressRefused(Exception):
    """A host resolved to an address that must not be dialled; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A host and a port, and whether the person allowed private addresses for exactly this pair."""

    host_port: HostPort
    private_allowed: bool

    async def addresses(self, resolve: Resolver) -> list[IpAddress]:
        """Resolve the host and return all its addresses; raises AddressRefused for a single bad one, and OSError."""
        addresses = list(await resolve(self.host_port.host, self.host_port.port))
        self._check(addresses)
        return addresses

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Open a socket for an address in the form of getaddrinfo; raises AddressRefused.

        The address is checked again, because some ways to this place pass by no resolver: an address that stands in a
        URL is dialled as it is, and a library may change.
        """
        family, kind, protocol, _, address = info
        self._check([ip_address(str(address[0]))])
        return socket.socket(family=family, type=kind, proto=protocol)

    async def connect(self, resolve: Resolver) -> socket.socket:
        """Return a connected socket; raises AddressRefused and OSError."""
        addresses = await self.addresses(resolve)
        connected = await aiohappyeyeballs.start_connection(
            [_address_info(address, self.host_port.port) for address in addresses],
            happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS,
            interleave=1,
            socket_factory=self.open_socket,
        )
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def _check(self, addresses: Iterable[IpAddress]) -> None:
        problem = refusal(addresses, private_allowed=self.private_allowed, place=self.host_port)
        if problem is not None:
            raise AddressRefused(f"{self.host_port} is not reached: {problem}.")


def _address_info(address: IpAddress, port: int) -> Any:
    if address.version == 6:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port)

"""The connector that dials nothing but checked addresses, and that tells a request when it is about to leave."""

import socket
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client import ClientTimeout
from aiohttp.tracing import Trace

from daemon.connectors.http.records import InjectedHeader
from daemon.connectors.http.urls import Target
from daemon.net.addresses import refusal
from daemon.net.kept import has_news
from daemon.net.resolver import Resolver


class AddressRefused(Exception):
    """A host resolved to an address that must not be dialled."""


@dataclass(slots=True)
class Departure:
    """One attempt's way out: what was checked, what is attached at the last moment, and whether it may have left."""

    target: Target
    private_allowed: bool
    credential: InjectedHeader | None
    may_have_left: bool = False
    protocol: aiohttp.client_proto.ResponseHandler | None = None

    def was_reset(self) -> bool:
        """Say whether the connection ended in an error: an answer without a length then looks whole, and is not."""
        return self.protocol is not None and isinstance(self.protocol.exception(), aiohttp.ClientOSError)

    def check(self, addresses: list[Any]) -> None:
        """Raise AddressRefused unless every address may be dialled for this target."""
        problem = refusal(addresses, private_allowed=self.private_allowed)
        if problem is not None:
            raise AddressRefused(f"{self.target.host_port} is not reached: {problem}.")


DEPARTURE: ContextVar[Departure] = ContextVar("departure")
"""The attempt that the current task makes: dialling happens in library code that has no place to pass it through."""


class CheckedResolver(AbstractResolver):
    """Resolves for the connector, and lets no host through of which one address must not be dialled."""

    def __init__(self, resolve: Resolver) -> None:
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve once and return the very addresses that were checked."""
        del family
        addresses = list(await self._resolve(host, port))
        DEPARTURE.get().check(addresses)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if address.version == 6 else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Do nothing: whoever made the resolver closes it."""


def _checked_socket(info: tuple[Any, ...]) -> socket.socket:
    # The last wall: whatever path led here (a literal address, a changed library), no socket is opened to an
    # address that the rules refuse.
    family, kind, protocol, _, address = info
    DEPARTURE.get().check([ip_address(str(address[0]))])
    return socket.socket(family=family, type=kind, proto=protocol)


class CheckedConnector(aiohttp.TCPConnector):
    """A connection pool whose every new connection is checked, and every request at its moment of leaving."""

    def __init__(self, *, resolve: Resolver, ssl_context: Any, limit: int, limit_per_host: int) -> None:
        super().__init__(
            resolver=CheckedResolver(resolve),
            use_dns_cache=False,  # a kept answer would skip the check that belongs to each new connection
            ssl=ssl_context,
            limit=limit,
            limit_per_host=limit_per_host,
            socket_factory=_checked_socket,
        )
        self._used: WeakSet[aiohttp.client_proto.ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 -- the library's signature
    ) -> aiohttp.connector.Connection:
        """Take or make a connection; then, and only then, put the credential into the request."""
        departure = DEPARTURE.get()
        url, target = req.url, departure.target
        if (url.scheme, url.host, url.port) != (target.scheme, target.host, target.host_port.port) or req.proxy:
            raise AddressRefused(f"{target.host_port} was checked, but the request is for another place.")
        connection = await self._usable(req, traces, timeout)
        if departure.credential is not None:
            req.headers[departure.credential.name] = departure.credential.value
        departure.may_have_left = True
        departure.protocol = connection.protocol
        return connection

    async def _usable(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 -- the library's signature
    ) -> aiohttp.connector.Connection:
        # Only kept connections are looked at: on a new one, TLS itself may have sent something already.
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used:
                break
            if not has_news(connection.transport):
                return connection
            connection.close()
        if protocol is not None:
            self._used.add(protocol)
        return connection

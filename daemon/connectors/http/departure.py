"""Makes the client library dial by the rules of `net/dialling.py`, and attach the credential at the last moment.

The library dials in code of its own, which has no place to pass a value through: so the attempt that is being made
stands in a context variable.
"""

import socket
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client import ClientTimeout
from aiohttp.tracing import Trace

from daemon.connectors.http.records import InjectedHeader
from daemon.connectors.http.urls import Target
from daemon.net.dialling import AddressRefused, Destination
from daemon.net.kept import has_news
from daemon.net.resolver import Resolver


@dataclass(slots=True)
class Departure:
    """One attempt at a request: where it goes, the credential that is attached last, and whether it may have left."""

    target: Target
    private_allowed: bool
    credential: InjectedHeader | None
    may_have_left: bool = False
    protocol: aiohttp.client_proto.ResponseHandler | None = None

    @property
    def destination(self) -> Destination:
        """Return what may be dialled for this attempt."""
        return Destination(self.target.host_port, self.private_allowed)

    def was_reset(self) -> bool:
        """Say whether the connection ended in an error; an answer without a length would look complete all the same."""
        return self.protocol is not None and isinstance(self.protocol.exception(), aiohttp.ClientOSError)


DEPARTURE: ContextVar[Departure] = ContextVar("departure")
"""The attempt that the current task makes."""


class CheckedResolver(AbstractResolver):
    """Resolves for the client library, by the rules: a host with one address that must not be dialled is refused."""

    def __init__(self, resolve: Resolver) -> None:
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the checked addresses of the attempt's own host; `connect` has seen that it is this one."""
        del family
        addresses = await DEPARTURE.get().destination.addresses(self._resolve)
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
    return DEPARTURE.get().destination.open_socket(info)


class CheckedConnector(aiohttp.TCPConnector):
    """The library's connection pool, with the address of every new connection checked, and every request once more."""

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
        """Take or make a connection, and put the credential into the request only then."""
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
        # Only kept connections are looked at: on a new one, the server's TLS may have sent something already.
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

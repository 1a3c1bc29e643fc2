"""The kept connections to each provider, and the dialling of new ones: every address is checked at every dial."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohappyeyeballs

from daemon.core.authority import HostPort
from daemon.core.providers import Provider
from daemon.net.addresses import IpAddress, refusal
from daemon.net.http1.connection import Connection
from daemon.net.http1.errors import Unreachable
from daemon.net.resolver import Resolver, SystemResolver

IDLE_SECONDS = 15.0
"""Providers close idle connections after a while; one that is about to be closed loses the next request."""

_HAPPY_EYEBALLS_SECONDS = 0.25


class Pool:
    """Owns every connection of the gateway; one for each daemon."""

    def __init__(
        self,
        *,
        extra_ca_file: Path | None,
        connect_seconds: float,
        allow_private: frozenset[HostPort],
        resolver: Resolver | None = None,
    ) -> None:
        self._extra_ca_file = extra_ca_file
        self._connect_seconds = connect_seconds
        self._allow_private = allow_private
        self._system = SystemResolver()
        self._resolve = resolver or self._system
        self._context: ssl.SSLContext | None = None
        self._idle: dict[str, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    async def take(self, provider: Provider) -> Connection:
        """Return a connection to a provider: a kept one, or a new one; raise Unreachable."""
        kept = self._idle.get(provider.name)
        while kept:
            connection = kept.pop()
            if connection.is_open:
                return connection
            connection.abort()
        return await self._dial(provider)

    async def close(self) -> None:
        """Close every connection and give the threads back."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._open):
            connection.abort()
        self._system.close()

    async def _dial(self, provider: Provider) -> Connection:
        where = str(provider.host_port)
        loop = asyncio.get_running_loop()

        def keep(connection: Connection) -> None:
            connection.idle_since = loop.time()
            self._idle.setdefault(provider.name, []).append(connection)
            if self._sweeping is None:
                self._sweeping = loop.call_later(IDLE_SECONDS / 3, self._sweep)

        try:
            async with asyncio.timeout(self._connect_seconds):
                connected = await self._connect(provider)
                secure = provider.scheme == "https"
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, where=where, on_free=keep, on_lost=self._open.discard),
                    sock=connected,
                    ssl=self._trust() if secure else None,
                    server_hostname=provider.host_port.host if secure else None,
                )
        except TimeoutError as error:
            raise Unreachable(f"{where} does not answer.") from error
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"The certificate of {where} is not trusted: {error.verify_message}.") from error
        except (OSError, RuntimeError, ValueError) as error:  # the event loop raises RuntimeError for some of these
            raise Unreachable(f"{where} cannot be reached: {error}") from error
        self._open.add(connection)
        return connection

    async def _connect(self, provider: Provider) -> socket.socket:
        host, port = provider.host_port.host, provider.host_port.port
        allowed = provider.host_port in self._allow_private
        addresses = list(await self._resolve(host, port))
        _check(addresses, provider, allowed=allowed)

        def checked_socket(info: Any) -> socket.socket:
            # The last wall: what is dialled is what was checked.
            if str(info[4][0]) not in {str(address) for address in addresses}:
                raise Unreachable(f"{provider.host_port} is not reached: {info[4][0]} was not checked.")
            return socket.socket(family=info[0], type=info[1], proto=info[2])

        connected = await aiohappyeyeballs.start_connection(
            [_address_info(address, port) for address in addresses],
            happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS,
            interleave=1,
            socket_factory=checked_socket,
        )
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
            if self._extra_ca_file is not None:
                self._context.load_verify_locations(cafile=self._extra_ca_file)
        return self._context

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeping = None
        oldest = loop.time() - IDLE_SECONDS
        for name, kept in self._idle.items():
            for connection in kept:
                if connection.idle_since < oldest:
                    connection.abort()
            self._idle[name] = [connection for connection in kept if connection.is_open]
        if any(self._idle.values()):
            self._sweeping = loop.call_later(IDLE_SECONDS / 3, self._sweep)


def _check(addresses: list[IpAddress], provider: Provider, *, allowed: bool) -> None:
    problem = refusal(addresses, private_allowed=allowed)
    if problem is not None:
        raise Unreachable(
            f"{provider.host_port} is not reached: {problem}. Model servers at such addresses are allowed with "
            "network.allow_private."
        )


def _address_info(address: IpAddress, port: int) -> Any:
    if address.version == 6:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port)

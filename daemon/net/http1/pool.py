"""The kept connections to each service, and the dialling of new ones."""

import asyncio
import socket
import ssl
from pathlib import Path

from daemon.core.authority import HostPort, Origin
from daemon.net.dialling import AddressRefused, Destination
from daemon.net.http1.connection import Connection
from daemon.net.http1.errors import Forbidden, Unreachable, Untrusted
from daemon.net.resolver import Resolver, SystemResolver
from daemon.net.trust import service_trust

IDLE_SECONDS = 15.0
"""Servers close idle connections after a while; one that is about to be closed loses the next request."""


class Pool:
    """Owns every connection of one client. It belongs to one event loop."""

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
        self._idle: dict[tuple[Origin, bool], list[Connection]] = {}
        self._open: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def read_own_authorities(self) -> None:
        """Read the person's own CA file now, if there is one; raises OSError or ssl.SSLError."""
        if self._extra_ca_file is not None:
            self._trust()

    def kept(self, origin: Origin, *, private_allowed: bool = False) -> Connection | None:
        """Return a connection to a service that is there already and free."""
        kept = self._idle.get(self._kind(origin, private_allowed))
        while kept:
            connection = kept.pop()
            if connection.is_open:
                return connection
            connection.abort()
        return None

    async def take(self, origin: Origin, *, private_allowed: bool = False) -> Connection:
        """Return a connection to a service: a kept one, or a new one; raises Unreachable.

        `private_allowed` allows private addresses for this request, besides the services for which they always are.
        A connection that was dialled under this allowance is kept for requests that have it, too.
        """
        return self.kept(origin, private_allowed=private_allowed) or await self.dial(
            origin, private_allowed=private_allowed
        )

    async def close(self) -> None:
        """Close every connection and give the threads back."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._open):
            connection.abort()
        self._system.close()

    async def dial(self, origin: Origin, *, private_allowed: bool = False) -> Connection:
        """Return a new connection to a service; raises Unreachable."""
        _, private_allowed = self._kind(origin, private_allowed)
        where = str(origin.host_port)
        loop = asyncio.get_running_loop()
        destination = Destination(origin.host_port, private_allowed)

        def keep(connection: Connection) -> None:
            connection.idle_since = loop.time()
            self._idle.setdefault((origin, private_allowed), []).append(connection)
            if self._sweeping is None:
                self._sweeping = loop.call_later(IDLE_SECONDS / 3, self._sweep)

        try:
            async with asyncio.timeout(self._connect_seconds):
                connected = await destination.connect(self._resolve)
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, where=where, on_free=keep, on_lost=self._open.discard),
                    sock=connected,
                    ssl=self._trust() if origin.is_secure else None,
                    server_hostname=origin.host_port.host if origin.is_secure else None,
                )
        except TimeoutError as error:
            raise Unreachable(f"{where} does not answer.") from error
        except AddressRefused as error:
            raise Forbidden(str(error)) from error
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(f"The certificate of {where} is not trusted: {error.verify_message}.") from error
        except (OSError, RuntimeError, ValueError) as error:  # the event loop raises RuntimeError for some of these
            raise Unreachable(f"{where} cannot be reached: {_why(error)}.") from error
        self._open.add(connection)
        return connection

    def _kind(self, origin: Origin, private_allowed: bool) -> tuple[Origin, bool]:
        return origin, private_allowed or origin.host_port in self._allow_private

    def _trust(self) -> ssl.SSLContext:
        # Made when it is needed first: a daemon whose servers all speak plain HTTP starts without it.
        if self._context is None:
            self._context = service_trust(self._extra_ca_file)
        return self._context

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeping = None
        oldest = loop.time() - IDLE_SECONDS
        for kind, kept in self._idle.items():
            for connection in kept:
                if connection.idle_since < oldest:
                    connection.abort()
            self._idle[kind] = [connection for connection in kept if connection.is_open]
        if any(self._idle.values()):
            self._sweeping = loop.call_later(IDLE_SECONDS / 3, self._sweep)


def _why(error: Exception) -> str:
    """Return why a connection could not be made, without the numbers of the system."""
    if isinstance(error, socket.gaierror):
        return "its name is not known. Check how it is spelled, and whether this machine is online"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return str(error).rstrip(".")

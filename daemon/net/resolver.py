"""Turns host names into addresses, on threads of its own: the only module that asks the name service."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from daemon.net.addresses import IpAddress

Resolver = Callable[[str, int], Awaitable[Sequence[IpAddress]]]
"""Given a host and a port, the addresses to choose from; raises OSError when there are none."""


class SystemResolver:
    """Resolves through the operating system. Simultaneous calls for one name share one lookup; answers are not kept."""

    def __init__(self, *, threads: int = 8) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="aileron-dns")
        self._in_flight: dict[tuple[str, int], asyncio.Future[list[IpAddress]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[IpAddress]:
        """Return every address of the host."""
        key = (host, port)
        lookup = self._in_flight.get(key)
        if lookup is None:
            lookup = asyncio.get_running_loop().run_in_executor(self._executor, _lookup, host, port)
            self._in_flight[key] = lookup
            lookup.add_done_callback(lambda _: self._in_flight.pop(key, None))
        # One caller's cancellation must not take the answer from the others.
        return await asyncio.shield(lookup)

    def close(self) -> None:
        """Give the threads back; a lookup that hangs in the system is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _lookup(host: str, port: int) -> list[IpAddress]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(ip_address(str(sockaddr[0])) for *_, sockaddr in found))

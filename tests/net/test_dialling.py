"""Resolve, check, dial: the rules on the way to a service, for every client that goes it."""

import ast
import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import pytest
from services.outbound import Names

from daemon.core.authority import HostPort, Origin
from daemon.net.dialling import AddressRefused, Destination
from daemon.net.http1.errors import Unreachable
from daemon.net.http1.pool import Pool

ROOT = Path(__file__).resolve().parents[2]
CLOSED = [
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0",  # noqa: S104
]  # fmt: skip
NEVER = ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"]  # noqa: S104
PUBLIC = "93.184.215.14"


def info(address: str, port: int) -> tuple[object, ...]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)


@pytest.fixture
def listening() -> Callable[[], Awaitable[tuple[asyncio.Server, int, list[object]]]]:
    async def listen() -> tuple[asyncio.Server, int, list[object]]:
        seen: list[object] = []

        async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(writer)
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        return server, server.sockets[0].getsockname()[1], seen

    return listen


@pytest.mark.parametrize("address", CLOSED)
async def test_a_closed_address_is_neither_given_out_nor_gets_a_socket(address: str) -> None:
    there = Destination(HostPort("service.test", 443), private_allowed=False)
    with pytest.raises(AddressRefused, match=r"service\.test:443 is not reached"):
        await there.addresses(Names(service_test=[[address]]))
    with pytest.raises(AddressRefused):
        there.open_socket(info(address, 443))


@pytest.mark.parametrize("address", NEVER)
async def test_nothing_opens_a_metadata_or_link_local_address(address: str) -> None:
    there = Destination(HostPort("service.test", 443), private_allowed=True)
    with pytest.raises(AddressRefused, match="never dialled") as refused:
        await there.addresses(Names(service_test=[[address]]))
    assert "allow_private" not in str(refused.value)  # no setting would help
    with pytest.raises(AddressRefused):
        there.open_socket(info(address, 443))


async def test_the_refusal_of_a_private_address_names_the_setting_that_opens_it() -> None:
    with pytest.raises(AddressRefused, match=r"network\.allow_private"):
        await Destination(HostPort("service.test", 443), False).addresses(Names(service_test=[["10.0.0.1"]]))


async def test_one_closed_address_among_open_ones_refuses_the_host() -> None:
    there = Destination(HostPort("service.test", 443), private_allowed=False)
    with pytest.raises(AddressRefused):
        await there.addresses(Names(service_test=[[PUBLIC, "127.0.0.1"]]))
    assert await there.addresses(Names(service_test=[[PUBLIC]])) == [ip_address(PUBLIC)]


async def test_a_connection_resolves_once_and_dials_what_was_checked(
    listening: Callable[[], Awaitable[tuple[asyncio.Server, int, list[object]]]],
) -> None:
    server, port, _ = await listening()
    async with server:
        names = Names(service_test=[["127.0.0.1"], ["169.254.169.254"]])
        there = Destination(HostPort("service.test", port), private_allowed=True)
        with await there.connect(names) as connected:
            assert connected.getpeername() == ("127.0.0.1", port)
        assert names.lookups == ["service.test"]
        with pytest.raises(AddressRefused):  # the next connection is checked anew
            await there.connect(names)


@pytest.mark.parametrize("answers", [["127.0.0.1"], [PUBLIC, "127.0.0.1"]])
async def test_the_pool_opens_no_socket_to_a_closed_address(
    answers: list[str], listening: Callable[[], Awaitable[tuple[asyncio.Server, int, list[object]]]]
) -> None:
    server, port, seen = await listening()
    async with server:
        pool = Pool(
            extra_ca_file=None, connect_seconds=5, allow_private=frozenset(), resolver=Names(service_test=[answers])
        )
        with pytest.raises(Unreachable, match="loopback"):
            await pool.take(Origin("http", HostPort("service.test", port)))
        await pool.close()
    assert seen == []


async def test_leave_for_one_port_opens_no_other_port_of_the_same_host(
    listening: Callable[[], Awaitable[tuple[asyncio.Server, int, list[object]]]],
) -> None:
    server, port, seen = await listening()
    async with server:
        allowed = frozenset({HostPort("127.0.0.1", port % 65535 + 1)})
        pool = Pool(extra_ca_file=None, connect_seconds=5, allow_private=allowed)
        with pytest.raises(Unreachable, match="loopback"):
            await pool.take(Origin("http", HostPort("127.0.0.1", port)))
        await pool.close()
    assert seen == []


async def test_why_a_service_cannot_be_reached_is_said_in_words(
    listening: Callable[[], Awaitable[tuple[asyncio.Server, int, list[object]]]],
) -> None:
    async def unknown(host: str, port: int) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port}")

    server, port, _ = await listening()
    server.close()
    await server.wait_closed()
    pool = Pool(extra_ca_file=None, connect_seconds=5, allow_private=frozenset({HostPort("127.0.0.1", port)}))
    with pytest.raises(Unreachable, match="nothing listens there"):
        await pool.take(Origin("http", HostPort("127.0.0.1", port)))
    await pool.close()
    pool = Pool(extra_ca_file=None, connect_seconds=5, allow_private=frozenset(), resolver=unknown)
    with pytest.raises(Unreachable, match="its name is not known"):
        await pool.take(Origin("https", HostPort("no.test", 443)))
    await pool.close()


# What reaches a service, or decides whom to believe there, and the only files that may use it.
ONLY_IN = {
    "getaddrinfo": {"daemon/net/resolver.py"},
    "create_default_context": {"daemon/net/trust.py"},
    "start_connection": {"daemon/net/dialling.py"},
    "create_connection": {"daemon/net/http1/pool.py"},
    "TCPConnector": set[str](),
    "ClientSession": set[str](),
    # A pair of sockets that are connected to each other, between the daemon and the keeper of local servers.
    "open_connection": {"daemon/tools/servers/keeping/kept.py"},
    # This talks to the daemon itself, on the loopback address that its own file names.
    "HTTPConnection": {"daemon/lifecycle/spawn.py"},
    # The daemon itself again, a look at the Docker engine's socket, our own listeners, and that pair of sockets.
    "socket": {
        *("daemon/net/dialling.py", "daemon/cli/http_answer.py", "daemon/cli/machine_checks.py"),
        *("daemon/lifecycle/listeners.py", "daemon/tools/servers/keeping/keeper.py"),
    },
}


def test_nobody_else_asks_the_name_service_dials_or_decides_whom_to_believe() -> None:
    found: dict[str, set[str]] = {name: set() for name in ONLY_IN}
    for file in sorted((ROOT / "daemon").rglob("*.py")):
        place = str(file.relative_to(ROOT))
        for node in ast.walk(ast.parse(file.read_text())):
            name = None
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
                if name == "socket" and not (
                    isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "socket"
                ):
                    name = None
            elif isinstance(node, ast.Attribute) and node.attr in {"TCPConnector", "ClientSession"}:
                name = node.attr
            if name in found:
                found[name].add(place)
    assert found == ONLY_IN

"""Our own HTTP/1.1 client against servers that speak badly: each over a real socket."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from daemon.core.authority import HostPort, Origin
from daemon.net.http1.connection import Connection
from daemon.net.http1.errors import Broken, TooSlow, Unreachable
from daemon.net.http1.head import HeadError, framing, request_head
from daemon.net.http1.pool import Pool

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REQUEST = b"POST /v1/x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Bench:
    """A pool, and a server whose connections are counted."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self.pool = pool
        self.origin = origin
        self.connections = 0

    async def ask(self, request: bytes = REQUEST, method: str = "POST") -> tuple[int, bytes, Connection]:
        connection = await self.pool.take(self.origin)
        connection.begin(method, request)
        await connection.head(seconds=5)
        body, last = b"", False
        while not last:
            piece, last = await connection.read()
            body += piece
        return connection.status, body, connection


@contextlib.asynccontextmanager
async def serving(handler: Handler, *, private: bool = True) -> AsyncIterator[Bench]:
    handling: list[asyncio.Task[None]] = []

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bench.connections += 1
        handling.append(asyncio.get_running_loop().create_task(handled(reader, writer)))

    server = await asyncio.start_server(counted, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    origin = Origin("http", HostPort("127.0.0.1", port))
    allowed = frozenset({HostPort("127.0.0.1", port)}) if private else frozenset[HostPort]()
    pool = Pool(extra_ca_file=None, connect_seconds=5, allow_private=allowed)
    bench = Bench(pool, origin)
    try:
        yield bench
    finally:
        await pool.close()
        server.close()
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling)


def answering(*answers: bytes, close: bool = False) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"{}")
            writer.write(answer)
            await writer.drain()
        if not close:
            await reader.read()

    return handle


async def test_a_connection_carries_one_exchange_after_the_other() -> None:
    async with serving(answering(OK, OK, OK)) as bench:
        for _ in range(3):
            status, body, connection = await bench.ask()
            assert (status, body) == (200, b"ok")
            connection.release()
        assert bench.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    ],
    ids=["told to close", "HTTP/1.0", "an answer nobody asked for"],
)
async def test_a_connection_that_is_not_clean_is_not_used_again(answer: bytes) -> None:
    async with serving(answering(answer, OK)) as bench:
        status, body, connection = await bench.ask()
        assert (status, body) == (200, b"ok")
        connection.release()
        status, body, connection = await bench.ask()
        connection.release()
        assert bench.connections == 2
        assert body == b"ok"


async def test_an_answer_that_comes_before_it_is_asked_for_is_never_handed_out() -> None:
    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")
        await reader.read()

    async with serving(eager) as bench:
        _, _, connection = await bench.ask()
        connection.release()
        await asyncio.sleep(0.2)
        _, body, _ = await bench.ask()
        assert body == b"ok"
        assert bench.connections == 2


async def test_a_kept_connection_that_the_server_has_closed_is_not_used_though_nobody_noticed() -> None:
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(OK)
                    released.wait(10)
                gone.set()

        released = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        origin = Origin("http", HostPort("127.0.0.1", port))
        pool = Pool(extra_ca_file=None, connect_seconds=5, allow_private=frozenset({HostPort("127.0.0.1", port)}))
        bench = Bench(pool, origin)
        _, _, first = await bench.ask()
        first.release()
        released.set()
        gone.wait(10)  # the event loop stands still meanwhile: it does not see that the connection has ended
        status, body, second = await bench.ask()
        await pool.close()
        thread.join(10)
    assert (status, body) == (200, b"ok")
    assert second is not first


async def test_interim_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    async with serving(answering(early + OK, OK)) as bench:
        status, body, connection = await bench.ask()
        assert (status, body) == (200, b"ok")
        assert connection.headers == [(b"content-length", b"2")]
        connection.release()
        await bench.ask()
        assert bench.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\nto the end", close=True)) as bench:
        status, body, _ = await bench.ask()
        assert (status, body) == (200, b"to the end")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 20",
        b"",
        b"\x16\x03\x01\x02\x00 this is TLS",
        b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!",
    ],
    ids=["length", "chunks", "bad chunk", "half a line", "nothing", "not HTTP", "status", "upgrade", "two lengths"],
)
async def test_an_answer_that_is_cut_or_is_not_http_is_an_error_and_never_complete(answer: bytes) -> None:
    async with serving(answering(answer, close=True)) as bench:
        with pytest.raises(Broken):
            await bench.ask()


async def test_a_head_has_a_limit() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 600_000, close=True)) as bench:
        with pytest.raises(Broken):
            await bench.ask()


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 204), ("POST", 304)])
async def test_an_answer_that_has_no_body_ends_with_its_head(method: str, status: int) -> None:
    async with serving(answering(f"HTTP/1.1 {status} X\r\ncontent-length: 7\r\n\r\n".encode())) as bench:
        got, body, _ = await bench.ask(method=method)
        assert (got, body) == (status, b"")


async def test_a_server_that_is_slow_to_begin_is_not_waited_for() -> None:
    async with serving(answering()) as bench:
        connection = await bench.pool.take(bench.origin)
        connection.begin("POST", REQUEST)
        with pytest.raises(TooSlow):
            await connection.head(seconds=0.05)


async def test_a_reader_that_is_slow_holds_the_server_back() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    async with serving(flood) as bench:
        connection = await bench.pool.take(bench.origin)
        connection.begin("POST", REQUEST)
        await connection.head(seconds=5)
        held_at, still = 0, 0
        while still < 10:  # the flood has come to a stand when nothing was added for half a second
            assert sent < 32 * 2**20  # what the sockets between the two take, and no more
            still = still + 1 if sent == held_at > 0 else 0
            held_at = sent
            await asyncio.sleep(0.05)
        for _ in range(50):
            await connection.read()
        assert sent > held_at
        connection.abort()


async def test_no_socket_is_opened_to_an_address_nobody_allowed() -> None:
    async with serving(answering(OK), private=False) as bench:
        with pytest.raises(Unreachable, match="allow_private"):
            await bench.pool.take(bench.origin)
        await asyncio.sleep(0.05)
        assert bench.connections == 0


@pytest.mark.parametrize("value", [b"a\r\nevil: 1", b"a\nevil: 1", b"a\rb", b"a\0b"])
def test_no_header_becomes_two(value: bytes) -> None:
    with pytest.raises(HeadError):
        request_head("POST", b"/v1/x", b"h", [(b"x", value)], b"")
    with pytest.raises(HeadError):
        request_head("POST", b"/v1/" + value, b"h", [], b"")


def test_a_body_is_framed_once() -> None:
    assert framing("POST", [(b"content-length", b"3")], b"abc") == b""
    assert framing("POST", [], b"abc") == b"content-length: 3"
    assert framing("POST", [], b"") == b"content-length: 0"
    assert framing("GET", [], b"") == b""
    assert framing("POST", [], None) == b"transfer-encoding: chunked"

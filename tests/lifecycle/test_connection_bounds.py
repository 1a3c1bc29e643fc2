"""What a caller may take of a listener before and beside a request, over real sockets; nothing here has a token."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from daemon.lifecycle.bounds import ListenerBounds
from daemon.lifecycle.listeners import Listener
from daemon.sandbox.certificates import CertificateAuthority

SHORT = ListenerBounds(
    head_seconds=0.3,
    body_seconds=0.3,
    unwanted_seconds=0.3,
    idle_seconds=0.6,
    look_seconds=0.05,
    most_open=40,
    most_unasked=20,
)
LONGER_THAN_ALL = 1.2
SOON = 10.0
GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK"


class App:
    """Answers by path, and notes how requests ended."""

    def __init__(self) -> None:
        self.gone = 0
        self.bodies: list[int] = []
        self.headers: list[Any] = []
        self.paths: list[str] = []
        self.release = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = scope["headers"]
        self.paths.append(scope["path"])
        pieces = [b"ok"]
        if scope["path"] in ("/read", "/read-late") and not await self._read(scope["path"], receive):
            return
        if scope["path"] == "/slow":
            await asyncio.sleep(LONGER_THAN_ALL)
        if scope["path"] == "/held":
            await self.release.wait()
        if scope["path"] == "/stream":
            pieces = [b"piece"] * 3
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if len(pieces) > 1:
                await asyncio.sleep(LONGER_THAN_ALL / 3)
        await send({"type": "http.response.body", "body": b""})

    async def _read(self, path: str, receive: Receive) -> bool:
        size, more = 0, True
        if path == "/read-late":
            await asyncio.sleep(SHORT.body_seconds * 2)
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return False
            size += len(message["body"])
            more = message["more_body"]
        self.bodies.append(size)
        return True


@contextlib.asynccontextmanager
async def serving(app: App, bounds: ListenerBounds = SHORT, **place: Any) -> AsyncIterator[Callable[..., Any]]:
    listener = Listener(port=0, bounds=bounds, **place)
    await listener.start(app)

    async def connect(**secure: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, **secure)
        writers.append(writer)
        return reader, writer

    writers: list[asyncio.StreamWriter] = []
    try:
        yield connect
    finally:
        for writer in writers:
            writer.transport.abort()
        app.release.set()
        await listener.stop()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read until the other side closes; a reset is an end, too."""
    got = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(SOON):
            while piece := await reader.read(65536):
                got += piece
    return got


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def trickle(writer: asyncio.StreamWriter, data: bytes = b"x" * 1000) -> None:
    with contextlib.suppress(ConnectionError):
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)


async def test_half_a_head_is_answered_408_and_closed() -> None:
    async with serving(App()) as connect:
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\nHo")
        assert (await answer(reader)).startswith(b"HTTP/1.1 408")


async def test_who_says_nothing_is_closed() -> None:
    async with serving(App()) as connect:
        reader, _ = await connect()
        assert (await answer(reader)).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "begin", [b"GET / HTTP/1.1\r\nX: ", b"\r\n", b"GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP"]
)
async def test_a_head_that_comes_a_byte_at_a_time_does_not_hold_a_connection(begin: bytes) -> None:
    async with serving(App()) as connect:
        reader, writer = await connect()
        writer.write(begin)
        sending = asyncio.ensure_future(trickle(writer, b"\r" * 1000 if begin == b"\r\n" else b"x" * 1000))
        got = await answer(reader)
        sending.cancel()
        assert b"HTTP/1.1 408" in got or b"HTTP/1.1 400" in got or not got


@pytest.mark.parametrize("dripping", [False, True])
async def test_a_body_that_does_not_come_ends_the_request(dripping: bool) -> None:
    app = App()
    async with serving(app) as connect:
        reader, writer = await connect()
        writer.write(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        sending = asyncio.ensure_future(trickle(writer)) if dripping else None
        assert await answer(reader) == b""
        await until(lambda: app.gone == 1)
        if sending is not None:
            sending.cancel()
    assert app.bodies == []


async def test_the_rest_of_a_body_that_nobody_wants_does_not_hold_a_connection() -> None:
    async with serving(App()) as connect:
        reader, writer = await connect()
        writer.write(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        sending = asyncio.ensure_future(trickle(writer))
        assert (await answer(reader)).startswith(OK)
        sending.cancel()


async def test_a_connection_between_two_requests_is_kept_for_a_while_and_then_closed() -> None:
    async with serving(App(), replace(SHORT, idle_seconds=3)) as connect:
        reader, writer = await connect()
        writer.write(GET % b"one")
        await reader.readuntil(b"0\r\n\r\n")
        await asyncio.sleep(0.4)  # longer than a head may take
        writer.write(GET % b"two")
        await reader.readuntil(b"0\r\n\r\n")
        assert await answer(reader) == b""


@pytest.mark.parametrize("path", [b"slow", b"stream"])
async def test_an_answer_may_take_longer_than_any_limit(path: bytes) -> None:
    async with serving(App()) as connect:
        reader, writer = await connect()
        writer.write(GET % path)
        async with asyncio.timeout(SOON):
            got = await reader.readuntil(b"0\r\n\r\n")
        assert got.startswith(OK)


async def test_a_large_body_goes_to_an_app_that_reads_slowly() -> None:
    app = App()
    size = 30 * 2**20
    async with serving(app) as connect:
        reader, writer = await connect()
        writer.write(b"POST /read-late HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(30):
            writer.write(b"x" * 2**20)
            await writer.drain()
        async with asyncio.timeout(30):
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(OK)
    assert app.bodies == [size]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, 431, id="one header without an end"),
        pytest.param(b"GET /" + b"x" * 300_000, 431, id="an address without an end"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431, id="many headers"),
        pytest.param(b"\x00\x01\x02\r\n\r\n", 400, id="no request at all"),
    ],
)
async def test_a_head_has_a_size_and_a_number_of_headers(request_bytes: bytes, status: int) -> None:
    async with serving(App(), ListenerBounds()) as connect:
        reader, writer = await connect()
        writer.write(request_bytes)
        assert (await answer(reader)).startswith(b"HTTP/1.1 %d " % status)


async def test_a_large_head_within_the_limits_is_taken() -> None:
    app = App()
    async with serving(app, ListenerBounds()) as connect:
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\n" + b"X: %b\r\n" % (b"y" * 250) * 90 + b"\r\n")
        assert (await reader.readuntil(b"0\r\n\r\n")).startswith(OK)
    assert len(app.headers) == 90


@pytest.mark.parametrize("size", [10, 200_000])
async def test_trailers_are_refused_before_they_are_headers_of_anything(size: int) -> None:
    app = App()
    async with serving(app, ListenerBounds()) as connect:
        reader, writer = await connect()
        writer.write(b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n")
        writer.write(b"Authorization: " + b"x" * size + b"\r\n\r\n")
        assert (await answer(reader)).partition(b" ")[2][:3] in (b"400", b"431")
        await until(lambda: app.gone == 1)
    assert app.bodies == []


async def test_requests_behind_one_that_is_not_answered_are_few() -> None:
    app = App()
    async with serving(app, ListenerBounds()) as connect:
        reader, writer = await connect()
        writer.write(GET % b"held" * 2000)
        assert await answer(reader) == b""
        reader, writer = await connect()
        writer.write(GET % b"held" * 8)
        app.release.set()
        for _ in range(8):
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(OK)


async def test_among_half_open_connections_a_caller_who_asks_is_answered() -> None:
    patient = ListenerBounds(most_open=40, most_unasked=20)
    async with serving(App(), patient) as connect:
        halves = []
        for number in range(200):
            reader, writer = await connect()
            writer.write(b"GET / HTTP/1.1\r\nX: ")
            halves.append((reader, writer))
            if number % 50 == 49:
                asked, asking = await connect()
                asking.write(GET % b"real")
                async with asyncio.timeout(SOON):
                    assert (await asked.readuntil(b"0\r\n\r\n")).startswith(OK)
                asking.close()
        await asyncio.gather(*(answer(reader) for reader, _ in halves[:-20]))
        assert not any(reader.at_eof() for reader, _ in halves[-10:])
        for _, writer in halves:
            writer.close()


async def test_a_listener_full_of_requests_under_way_keeps_them_and_closes_the_new_one() -> None:
    app = App()
    async with serving(app, ListenerBounds(most_open=5, most_unasked=5)) as connect:
        held = [await connect() for _ in range(5)]
        for _, writer in held:
            writer.write(GET % b"held")
        await asyncio.sleep(0.1)
        reader, _ = await connect()
        assert await answer(reader) == b""
        app.release.set()
        for reader, _ in held:
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(OK)


async def test_nothing_is_accepted_beyond_the_descriptors_that_are_kept_back() -> None:
    # The numbers that come next, as the system gives them out: other tests may have left gaps.
    probes = [socket.socket() for _ in range(12)]
    ceiling = max(probe.fileno() for probe in probes) + 1
    for probe in probes:
        probe.close()
    app = App()
    async with serving(app, ListenerBounds(below_descriptor=ceiling)) as connect:
        held = [await connect() for _ in range(3)]
        for _, writer in held:
            writer.write(GET % b"held")
        await until(lambda: len(app.paths) == 3)
        taken = [socket.socket() for _ in range(12)]
        reader, writer = await connect()
        writer.write(GET % b"later")
        await asyncio.sleep(0.5)
        assert "/later" not in app.paths
        for one in taken:
            one.close()
        assert (await reader.readuntil(b"0\r\n\r\n")).startswith(OK)
        app.release.set()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    now = datetime.now(UTC)
    issued = CertificateAuthority.open(tmp_path, now=now).issue(
        tmp_path, name="localhost", address="127.0.0.1", now=now
    )
    return issued.certificate, issued.key


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
async def test_a_handshake_that_does_not_end_is_closed(certificate: tuple[Path, Path], sent: bytes) -> None:
    async with serving(App(), certificate=certificate) as connect:
        reader, writer = await connect()
        writer.write(sent)
        await answer(reader)


async def test_unfinished_handshakes_make_room_for_one_that_finishes(certificate: tuple[Path, Path]) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    before = descriptors()
    async with serving(App(), ListenerBounds(most_open=20, most_unasked=10), certificate=certificate) as connect:
        waiting = [await connect() for _ in range(60)]
        reader, writer = await connect(ssl=trusting)
        writer.write(GET % b"real")
        async with asyncio.timeout(SOON):
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(OK)
        await asyncio.gather(*(answer(reader) for reader, _ in waiting[:-10]))
    await until(lambda: descriptors() <= before + 1)  # the loop of the daemon keeps one for itself


@pytest.mark.parametrize(
    "rule",
    [
        test_half_a_head_is_answered_408_and_closed,
        test_the_rest_of_a_body_that_nobody_wants_does_not_hold_a_connection,
        test_among_half_open_connections_a_caller_who_asks_is_answered,
        test_a_listener_full_of_requests_under_way_keeps_them_and_closes_the_new_one,
        test_nothing_is_accepted_beyond_the_descriptors_that_are_kept_back,
    ],
)
def test_the_rule_holds_on_the_loop_that_the_daemon_has(rule: Callable[[], Coroutine[Any, Any, None]]) -> None:
    uvloop.run(rule())


def test_handshakes_are_bounded_on_the_loop_that_the_daemon_has(certificate: tuple[Path, Path]) -> None:
    uvloop.run(test_unfinished_handshakes_make_room_for_one_that_finishes(certificate))
    uvloop.run(test_a_handshake_that_does_not_end_is_closed(certificate, b""))

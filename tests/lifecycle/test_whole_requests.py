"""Requests that came in one piece and that an app answers itself, over real sockets: nothing else can be told apart."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from starlette.types import Receive, Scope, Send

from daemon.base.whole import Reply, Whole
from daemon.lifecycle.bounds import ListenerBounds
from daemon.lifecycle.listeners import Listener

BOUNDS = ListenerBounds(look_seconds=0.05)
SOON = 10.0
CALL = b"POST /call HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
PLAIN = b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: application/json\r\n\r\n{"way":"own"}'


@dataclass
class Held:
    """A request that the app has taken."""

    request: Whole
    reply: Reply
    through: "App"
    left: asyncio.Event = field(default_factory=asyncio.Event)
    handed_on: asyncio.Event = field(default_factory=asyncio.Event)

    def hang_up(self) -> None:
        self.left.set()

    def hand_on(self) -> None:
        self.handed_on.set()
        self.reply.hand_on(self.through.later)


class App:
    """Takes the requests that it is told to, and answers the others through ASGI with what it read."""

    def __init__(self, *, takes: bool = True, at_once: bool = True) -> None:
        self.takes = takes
        self.at_once = at_once
        self.taken: list[Held] = []
        self.asked: list[Scope] = []
        self.bodies: list[bytes] = []
        self.release = asyncio.Event()

    def take(self, request: Whole, reply: Reply) -> Held | None:
        if not self.takes:
            return None
        held = Held(request, reply, self)
        self.taken.append(held)
        if self.at_once:
            asyncio.get_running_loop().call_soon(reply.give, b'{"way":"own"}')
        return held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        self.asked.append(scope)
        self.bodies.append(body)
        await _answer(send, b'{"way":"ASGI"}')

    async def later(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on with one that was taken."""
        del receive  # its body is with who took it
        self.asked.append(scope)
        await self.release.wait()
        await _answer(send, b'{"way":"on"}')


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Caller:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    listener: Listener

    def says(self, *pieces: bytes) -> None:
        self.writer.write(b"".join(pieces))

    async def hears(self) -> bytes:
        """Read one answer with a length."""
        async with asyncio.timeout(SOON):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            return head + await self.reader.readexactly(length)

    async def is_left(self) -> bool:
        async with asyncio.timeout(SOON):
            return await self.reader.read() == b""


@contextlib.asynccontextmanager
async def calling(app: App, bounds: ListenerBounds = BOUNDS) -> AsyncIterator[Caller]:
    listener = Listener(port=0, bounds=bounds)
    await listener.start(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        yield Caller(reader, writer, listener)
    finally:
        app.release.set()
        writer.transport.abort()
        await listener.stop()


async def until(event: asyncio.Event) -> None:
    async with asyncio.timeout(SOON):
        await event.wait()


async def _taken(app: App) -> Held:
    async with asyncio.timeout(SOON):
        while not app.taken:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return app.taken[-1]


async def test_a_request_in_one_piece_is_answered_by_who_takes_it_and_the_connection_stays_good() -> None:
    app = App()
    async with calling(app) as caller:
        for _ in range(3):
            caller.says(CALL)
            assert await caller.hears() == PLAIN
    assert [held.request for held in app.taken] == [
        Whole(b"/call", [(b"host", b"x"), (b"content-length", b"2")], b"{}")
    ] * 3
    assert app.asked == []


async def test_one_that_nobody_takes_goes_through_asgi_with_all_of_its_body() -> None:
    app = App(takes=False)
    async with calling(app) as caller:
        caller.says(CALL)
        assert b'{"way":"ASGI"}' in await caller.hears()
    assert (app.bodies, app.asked[0]["path"], app.asked[0]["method"]) == ([b"{}"], "/call", "POST")


async def test_one_whose_body_comes_later_goes_through_asgi() -> None:
    app = App()
    async with calling(app) as caller:
        caller.says(CALL[:-1])
        await asyncio.sleep(0.05)
        caller.says(CALL[-1:])
        assert b'{"way":"ASGI"}' in await caller.hears()
    assert (app.taken, app.bodies) == ([], [b"{}"])


@pytest.mark.parametrize(
    "request_",
    [
        CALL.replace(b"POST", b"PUT"),
        CALL.replace(b"HTTP/1.1", b"HTTP/1.0"),
        CALL.replace(b"Host", b"Connection: close\r\nHost"),
        CALL.replace(b"Host", b"Connection: upgrade\r\nUpgrade: websocket\r\nHost"),
        CALL.replace(b"/call", b"/call?x=1"),
        CALL.replace(b"/call", b"/c%61ll"),
        CALL.replace(b"/call", b"/call#x"),
        CALL.replace(b"/call", b"//call"),
        CALL.replace(b"/call", b"http://x/call"),
    ],
)
async def test_what_is_not_a_plain_request_goes_through_asgi(request_: bytes) -> None:
    app = App()
    async with calling(app) as caller:
        caller.says(request_)
        assert b'{"way":"ASGI"}' in await caller.hears()
    assert app.taken == []


async def test_who_asks_whether_to_go_on_is_told_so_and_goes_through_asgi() -> None:
    app = App()
    async with calling(app) as caller:
        caller.says(CALL[:-2].replace(b"Host", b"Expect: 100-continue\r\nHost"))
        async with asyncio.timeout(SOON):
            assert b"100 Continue" in await caller.reader.readuntil(b"\r\n\r\n")
        caller.says(b"{}")
        assert b'{"way":"ASGI"}' in await caller.hears()
    assert app.taken == []


async def test_a_body_in_chunks_is_put_together() -> None:
    app = App()
    head = b"POST /call HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with calling(app) as caller:
        caller.says(head, b'2\r\n{"\r\n3\r\na":\r\n2\r\n1}\r\n0\r\n\r\n')
        assert await caller.hears() == PLAIN
    assert app.taken[0].request.body == b'{"a":1}'


async def test_trailers_are_refused_before_anybody_takes_the_request() -> None:
    app = App()
    head = b"POST /call HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with calling(app) as caller:
        caller.says(head, b"2\r\n{}\r\n0\r\nx: y\r\n\r\n")
        assert (await caller.hears()).startswith(b"HTTP/1.1 400")
        assert await caller.is_left()
    assert (app.taken, app.asked) == ([], [])


@pytest.mark.parametrize("second", [CALL, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_of_two_requests_in_one_piece_the_first_is_answered_first(second: bytes) -> None:
    app = App()
    async with calling(app) as caller:
        caller.says(CALL.replace(b"{}", b"[]"), second)
        for _ in range(2):
            assert b'{"way":"ASGI"}' in await caller.hears()
    assert app.bodies[0] == b"[]"


async def test_a_request_sent_ahead_waits_until_the_one_that_was_taken_is_answered() -> None:
    app = App(at_once=False)
    async with calling(app) as caller:
        caller.says(CALL)
        held = await _taken(app)
        caller.says(CALL)
        await asyncio.sleep(0.05)
        assert (len(app.taken), app.asked) == (1, [])
        held.reply.give(b'{"way":"own"}')
        assert await caller.hears() == PLAIN
        assert b'{"way":"ASGI"}' in await caller.hears()


async def test_rubbish_behind_a_request_that_was_taken_ends_the_connection_without_a_second_answer() -> None:
    app = App(at_once=False)
    async with calling(app) as caller:
        caller.says(CALL)
        held = await _taken(app)
        caller.says(b"no HTTP\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert await caller.is_left()
        await until(held.left)


async def test_a_caller_that_leaves_is_told_of_at_once_and_gets_nothing_more() -> None:
    app = App(at_once=False)
    async with calling(app) as caller:
        caller.says(CALL)
        held = await _taken(app)
        caller.writer.transport.abort()
        await until(held.left)
        held.reply.give(b'{"way":"own"}')
        held.reply.hand_on(app.later)
        await asyncio.sleep(0.01)
    assert app.asked == []


async def test_a_request_that_takes_long_is_handed_on_and_answered_through_asgi() -> None:
    app = App(at_once=False)
    async with calling(app) as caller:
        caller.says(CALL)
        held = await _taken(app)
        await until(held.handed_on)
        held.reply.give(b'{"way":"own"}')  # too late, and without effect
        app.release.set()
        assert b'{"way":"on"}' in await caller.hears()
        assert (app.asked[0]["path"], app.asked[0]["raw_path"]) == ("/call", b"/call")
        app.at_once = True
        caller.says(CALL)
        assert await caller.hears() == PLAIN
    assert not held.left.is_set()


async def test_a_listener_that_stops_hands_on_what_is_under_way_and_waits_for_its_answer() -> None:
    app = App(at_once=False)
    async with calling(app, replace(BOUNDS, look_seconds=SOON)) as caller:
        caller.says(CALL)
        held = await _taken(app)
        stopping = asyncio.ensure_future(caller.listener.stop())
        await until(held.handed_on)
        app.release.set()
        answer = await caller.hears()
        assert b"connection: close\r\n" in answer
        assert b'{"way":"on"}' in answer
        assert await caller.is_left()
        await stopping


async def test_a_defect_of_who_takes_it_ends_the_connection_and_not_the_listener() -> None:
    class Broken(App):
        def take(self, request: Whole, reply: Reply) -> Held | None:
            del request, reply
            raise RuntimeError("a defect")

    app = Broken()
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(str(context["exception"])))
    async with calling(app) as caller:
        caller.says(CALL)
        with contextlib.suppress(ConnectionError):
            assert await caller.is_left()
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.listener.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        writer.transport.abort()
    assert said == ["a defect"]

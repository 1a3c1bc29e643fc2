"""The way to the daemon over HTTP, against peers on a socket that do what a daemon would not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from aileron_mcp.connections import Connections
from aileron_mcp.exchange import BrokenOff, NotReached, Sent, lines
from aileron_mcp.trust import trust

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
PLAIN = b'HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-type: application/json\r\n\r\n"fine"'


class Peer:
    """Whoever answers: what each connection is to do, how many there were, and what came over them."""

    def __init__(self) -> None:
        self.talk: Talk = answering(FINE)
        self.connections = 0
        self.ended = 0
        self.url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self.talk(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.ended += 1


def answering(*answers: bytes, then_close: bool = False) -> Talk:
    """Return a talk that gives these answers to every request."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            for answer in answers:
                writer.write(answer)
                await writer.drain()
            if then_close:
                return

    return talk


def in_turn(*answers: bytes) -> Talk:
    """Return a talk that gives one answer to each request, in two pieces where a | stands, and then ends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            first, _, second = answer.partition(b"|")
            writer.write(first)
            await writer.drain()
            if second:
                await asyncio.sleep(0.02)
                writer.write(second)

    return talk


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield peer
        await until(lambda: peer.ended == peer.connections)


@pytest.fixture
async def connections(peer: Peer) -> AsyncIterator[Connections]:
    made = Connections(peer.url, trust=trust(peer.url))
    yield made
    await made.aclose()


async def asked(connections: Connections, *, silence: float | None = None) -> bytes:
    async with connections.send("GET", "/", headers={}, silence=silence) as answer:
        return await answer.whole()


def at_once(connections: Connections, told: list[bool]) -> Sent | None:
    return connections.send_at_once("GET", "/", headers={}, content=b"", told=lambda: told.append(True))


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not fact():  # noqa: ASYNC110 - a fact of the peer, which tells nobody
            await asyncio.sleep(0.005)


async def test_a_connection_is_kept_for_the_next_request(peer: Peer, connections: Connections) -> None:
    assert [await asked(connections) for _ in range(5)] == [b"fine"] * 5
    assert peer.connections == 1


async def test_plain_answers_and_others_follow_each_other_over_one_connection(
    peer: Peer, connections: Connections
) -> None:
    halves = [PLAIN[:cut] + b"|" + PLAIN[cut:] for cut in (10, 40, len(PLAIN) - 3)]
    answers = [PLAIN, FINE, PLAIN, PLAIN, STREAM, *halves, PLAIN, FINE, FINE, PLAIN]
    peer.talk = in_turn(*answers)
    found = {FINE: b"fine", STREAM: b"one\n"}
    assert [await asked(connections) for _ in answers] == [found.get(answer, b'"fine"') for answer in answers]
    assert peer.connections == 1


async def test_requests_at_once_do_not_wait_for_each_other(peer: Peer, connections: Connections) -> None:
    may_answer = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await may_answer.wait()
        writer.write(FINE)

    peer.talk = wait
    requests = [asyncio.ensure_future(asked(connections)) for _ in range(10)]
    await until(lambda: peer.connections == 10)
    may_answer.set()
    assert await asyncio.gather(*requests) == [b"fine"] * 10


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again(peer: Peer, connections: Connections) -> None:
    peer.talk = answering(FINE, then_close=True)
    assert await asked(connections) == b"fine"
    await until(lambda: peer.ended == 1)
    await asyncio.sleep(0)
    assert await asked(connections) == b"fine"
    assert peer.connections == 2


async def test_a_connection_that_the_peer_will_close_is_not_kept(peer: Peer, connections: Connections) -> None:
    peer.talk = answering(FINE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert [await asked(connections) for _ in range(2)] == [b"fine"] * 2
    assert peer.connections == 2


@pytest.mark.parametrize("answers", [(FINE, FINE), (PLAIN, PLAIN), (PLAIN + PLAIN,), (PLAIN + b"HTTP",)])
async def test_bytes_that_nobody_asked_for_end_the_connection(
    peer: Peer, connections: Connections, answers: tuple[bytes, ...]
) -> None:
    # They would be taken for the answer to the next request.
    peer.talk = answering(*answers)
    first = await asked(connections)
    await asyncio.sleep(0.05)
    assert first == await asked(connections)
    assert first in {b"fine", b'"fine"'}
    assert peer.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: b\r\n" % number for number in range(200)) + b"\r\n",
    ],
    ids=["nothing", "half-a-head", "half-a-body", "half-in-chunks", "no-chunk", "no-http", "headers"],
)
async def test_an_answer_that_is_not_whole_is_broken_off(peer: Peer, connections: Connections, answer: bytes) -> None:
    peer.talk = answering(answer, then_close=True)
    with pytest.raises(BrokenOff):
        await asked(connections)


async def test_silence_has_a_limit_where_one_is_named(peer: Peer, connections: Connections) -> None:
    peer.talk = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    with pytest.raises(BrokenOff, match=r"nothing came for 0\.05 s"):
        await asked(connections, silence=0.05)


async def test_who_leaves_before_the_end_hangs_up(peer: Peer, connections: Connections) -> None:
    peer.talk = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n")
    async with connections.send("GET", "/", headers={}) as answer:
        async for line in lines(answer):
            assert line == "one"
            break
    await until(lambda: peer.ended == 1)

    waiting = asyncio.ensure_future(asked(connections))
    await until(lambda: peer.connections == 2)
    waiting.cancel()
    await until(lambda: peer.ended == 2)


async def test_what_is_not_read_is_not_taken_in(peer: Peer, connections: Connections) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * 2**20))
        for _ in range(64):
            writer.write(b"x" * 2**20)
            await writer.drain()
            sent += 1

    peer.talk = flood
    async with connections.send("GET", "/", headers={}) as answer:
        still = -1
        while still != sent:
            still = sent
            await asyncio.sleep(0.2)
        assert sent < 32  # the rest fits into no buffer on the way
        assert len(await answer.whole()) == 64 * 2**20


LONG = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (2**21, b"x" * 2**21)
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"


@pytest.mark.parametrize(
    ("answer", "whole"),
    [(FINE, b"fine"), (PLAIN, b'"fine"'), (LONG, b"x" * 2**21), (STREAM, b"one\n"), (HALF, None)],
    ids=["whole", "plain", "long", "in-parts", "broken-off"],
)
async def test_who_does_not_wait_is_told_once_and_can_read_the_answer_then(
    peer: Peer, connections: Connections, answer: bytes, whole: bytes | None
) -> None:
    told: list[bool] = []
    assert at_once(connections, told) is None, "there is no connection yet"
    peer.talk = in_turn(FINE, answer)
    await asked(connections)
    sent = at_once(connections, told)
    assert sent is not None
    await until(lambda: bool(told))
    with contextlib.nullcontext() if whole is not None else pytest.raises(BrokenOff):
        async with sent as received:
            assert await received.whole() == whole
    assert told == [True]
    assert peer.connections == 1


async def test_who_hangs_up_is_told_nothing_and_the_connection_ends(peer: Peer, connections: Connections) -> None:
    may_answer = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await may_answer.wait()
            writer.write(FINE)

    peer.talk = wait
    may_answer.set()
    await asked(connections)
    may_answer.clear()
    told: list[bool] = []
    sent = at_once(connections, told)
    assert sent is not None
    sent.hang_up()
    may_answer.set()
    await until(lambda: peer.ended == 1)
    assert told == []


@pytest.mark.parametrize("token", ["a\r\nX-Other: 1", "a\nb", "\u00e9", "a\x00"])
async def test_a_token_cannot_become_a_header_of_its_own(peer: Peer, connections: Connections, token: str) -> None:
    with pytest.raises(NotReached, match="characters that a request cannot have"):
        async with connections.send("GET", "/", headers={"Authorization": f"Bearer {token}"}):
            pass
    assert peer.connections == 0


@pytest.mark.parametrize("url", ["", "ftp://a/", "http://", "no address"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(NotReached, match="no address"):
        Connections(url, trust=trust("http://a"))


async def test_an_address_below_another_one_is_kept(peer: Peer) -> None:
    said: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(FINE)

    peer.talk = note
    below = Connections(f"{peer.url}/agent/", trust=trust(peer.url))
    async with below.send("GET", "/v1/tools", headers={}) as answer:
        await answer.whole()
    await below.aclose()
    assert said[0].startswith(b"GET /agent/v1/tools HTTP/1.1\r\n")

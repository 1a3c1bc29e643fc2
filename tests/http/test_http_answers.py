"""Answers that are not what they seem: what cannot be read is not passed on, and what was cut short is no answer."""

import gzip
import socket
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.connectors.http.codings import ExchangeFailed, Unpacking
from daemon.core.failures import FailureClass
from tests.services.outbound import SECRET, Call, Outside, manifest_for
from tests.services.raw_provider import RawProvider

TWICE = gzip.compress(gzip.compress(SECRET.encode()))
ONCE = gzip.compress(SECRET.encode())
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n"

UNREADABLE = {
    "two codings in one header": (b"Content-Encoding: gzip, gzip\r\n", TWICE),
    "two codings in two headers": (b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", TWICE),
    "a coding behind one that is none": (b"Content-Encoding: identity\r\nContent-Encoding: gzip, x\r\n", ONCE),
    "an unknown coding behind a known one": (b"Content-Encoding: gzip\r\nContent-Encoding: br\r\n", ONCE),
    "an unknown coding": (b"Content-Encoding: zstd\r\n", ONCE),
    "a known coding in odd letters, twice": (b"CONTENT-ENCODING: GZip\r\ncontent-encoding:\tgZIP\r\n", TWICE),
    "a difference to another answer": (b"IM: gzip\r\n", ONCE),
}


async def ask(outside: Outside, answer: bytes, *, method: str = "POST", reset: bool = False) -> tuple[Call, Any]:
    """Make one request that must not be repeated, of a service that answers exactly these bytes."""

    def reply(connection: socket.socket, _: bytes) -> None:
        connection.sendall(answer)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    with RawProvider(reply) as up:
        place = up.url.removeprefix("http://")
        call = Call(await outside.client(place), manifest_for(place), idempotent=False)
        said = await call.send(method, f"{up.url}/x")
    return call, said


def whole(headers: bytes, body: bytes, *, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, headers, len(body), body)


@pytest.mark.parametrize("what", UNREADABLE)
async def test_an_answer_that_cannot_be_read_is_refused_and_no_byte_of_it_passed_on(
    outside: Outside, what: str
) -> None:
    headers, body = UNREADABLE[what]
    call, (ok, error) = await ask(outside, whole(headers, body))
    assert (ok, error["code"]) == (False, "network")
    assert "encoded" in error["message"]
    assert call.context.outcome_unknown  # it was sent, and what came back tells nobody what became of it


@pytest.mark.parametrize(
    "coding", [b"gzip, chunked", b"gzip", b"deflate, chunked", b"chunked, gzip", b"x-odd, chunked"]
)
async def test_an_answer_that_is_packed_for_the_transfer_is_refused(outside: Outside, coding: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %b\r\n\r\n" % coding + CHUNKED % (len(ONCE), ONCE)
    call, (ok, error) = await ask(outside, answer)
    assert (ok, error["code"]) == (False, "network")
    assert call.context.outcome_unknown


async def test_an_answer_that_says_it_is_a_difference_or_another_protocol_is_refused(outside: Outside) -> None:
    for status in (b"226 IM Used", b"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd"):
        _, (ok, error) = await ask(outside, whole(b"", b"{}", status=status))
        assert (ok, error["code"]) == (False, "network"), status


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"x-gzip", b"identity, gzip", b" gzip ,", b"deflate"])
async def test_one_coding_that_was_asked_for_is_read_and_scrubbed(outside: Outside, coding: bytes) -> None:
    body = zlib.compress(SECRET.encode()) if coding == b"deflate" else ONCE
    _, (ok, answer) = await ask(outside, whole(b"Content-Encoding: %b\r\n" % coding, body))
    assert (ok, answer["body"]) == (True, "[redacted]")


CUT_SHORT = {
    "no byte of an answer": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Type: a",
    "a head whose last line is missing": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "a head without its body": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b'{"ok": tru',
    "a chunk too few": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{}",
    "chunks without their last line end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
    "half a gzip body of the length it says": whole(b"Content-Encoding: gzip\r\n", ONCE[:-9]),
    "only an interim answer": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
}


@pytest.mark.parametrize("what", CUT_SHORT)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_an_answer_that_was_cut_short_is_never_an_answer(outside: Outside, what: str, method: str) -> None:
    call, (ok, _) = await ask(outside, CUT_SHORT[what], method=method)
    assert not ok
    assert call.context.outcome_unknown
    failure = call.context.explain("all went well")
    assert failure is not None
    assert failure.failure_class is FailureClass.OUTCOME_UNKNOWN


async def test_an_answer_that_ends_with_its_connection_is_whole_only_if_nobody_broke_it_off(outside: Outside) -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + b'{"ok": true}'
    call, (ok, _) = await ask(outside, answer)
    assert (ok, call.context.outcome_unknown) == (True, False)
    call, (ok, _) = await ask(outside, answer + b" " * 200_000, reset=True)
    assert (ok, call.context.outcome_unknown) == (False, True)


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=4), st.integers(1, 300), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_body_unpacks_to_the_same_whatever_the_steps(members: list[bytes], step: int, repeat: bool) -> None:
    plain = b"".join(members) * (50 if repeat else 1)
    packed = b"".join(gzip.compress(member) for member in members * (50 if repeat else 1))
    unpacking = Unpacking("gzip", packed, limit=1 << 20)
    most = step
    while not unpacking.run(most):
        most += step
    assert unpacking.body() == plain


@pytest.mark.parametrize("cut", range(1, len(ONCE)))
def test_a_packed_body_that_ends_in_the_middle_is_refused_wherever_that_is(cut: int) -> None:
    with pytest.raises(ExchangeFailed):
        Unpacking("gzip", ONCE[:cut], limit=1 << 20).run()


def test_a_body_is_unpacked_to_its_bound_and_not_a_byte_further() -> None:
    for coding, packer in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        assert Unpacking(coding, packer(b"x" * 1000), limit=1000).run()
        with pytest.raises(ExchangeFailed, match="larger than 999 bytes"):
            Unpacking(coding, packer(b"x" * 1000), limit=999).run()

"""A plain answer means to the parser of HTTP what it is taken for without one; all else is left to the parser."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aileron_mcp.plain_answers import HEADERS, plain_body

TYPE = b"content-type: application/json\r\n"
_LINES = st.sampled_from(
    [
        *(b"content-length: 4\r\n", b"content-length: 04\r\n", b"content-length: +4\r\n", b"content-length: 4 \r\n"),
        *(b"content-length: 5\r\n", b"Content-Length: 4\r\n", b"content-length: 4\n", b"content-length:4\r\n"),
        *(TYPE, b"content-type: text/event-stream\r\n", b"connection: close\r\n", b"transfer-encoding: chunked\r\n"),
        *(b" folded\r\n", b"\r\n", b"x: y\r\n", b""),
    ]
)
_STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 202 Accepted\r\n", b"HTTP/1.1 200 OK\n", b"\r\n"]
)
_BODIES = st.sampled_from([b"", b"{}", b"null", b"true\n", b"{}\r\n", b"nullHTTP/1.1 200 OK\r\n"])


class Parsed:
    """What the parser finds in a piece."""

    def __init__(self, piece: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.whole = 0
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(piece)
        self.status, self.kept = parser.get_status_code(), parser.should_keep_alive()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.whole += 1


def plain(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n%b\r\n%b" % (len(body), TYPE, body)


@given(_STATUS, st.lists(_LINES, max_size=4), _BODIES)
def test_what_is_taken_for_a_plain_answer_is_one_whole_answer_to_the_parser(
    status: bytes, lines: list[bytes], body: bytes
) -> None:
    piece = status + b"".join(lines) + b"\r\n" + body
    found = plain_body(piece)
    if found is not None:
        parsed = Parsed(piece)
        assert (parsed.status, parsed.whole, parsed.body, parsed.kept) == (200, 1, found, True)
        assert parsed.headers == {**HEADERS, "content-length": str(len(found))}


@given(st.binary(min_size=1, max_size=100))
def test_an_answer_as_the_daemon_writes_it_is_plain_and_no_part_of_it_is(body: bytes) -> None:
    piece = plain(body)
    assert plain_body(piece) == body == Parsed(piece).body
    assert plain_body(b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (TYPE, len(body), body)) == body
    assert all(plain_body(piece[:cut]) is None for cut in range(len(piece)))
    assert plain_body(piece + b"\n") is None


@pytest.mark.parametrize(
    "piece",
    [
        plain(b""),
        plain(b"{}") + plain(b"{}"),
        plain(b"{}").replace(b"200 OK", b"202 Accepted"),
        plain(b"{}").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
        plain(b"{}").replace(b"content-type", b"content-length: 2\r\ncontent-type"),
        plain(b"{}").replace(b": 2", b": 002"),
        plain(b"{}").replace(b": 2", b": \xc2\xb2"),
        plain(b"{}").replace(TYPE, b""),
        plain(b"{}").replace(b"json", b"json; charset=utf-8"),
        b"\r\n" + plain(b"{}"),
    ],
)
def test_any_other_answer_is_left_to_the_parser(piece: bytes) -> None:
    assert plain_body(piece) is None

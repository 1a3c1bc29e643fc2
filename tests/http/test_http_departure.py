"""What leaves: exactly the request that was checked, with the credential once, and nothing else between the lines."""

from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.connectors.http import InjectedHeader
from daemon.connectors.http.departure import Departure
from daemon.connectors.http.urls import parse_url
from daemon.net.http1.head import HeadError
from tests.services.outbound import SECRET, Outside

NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9-]{0,12}\Z").filter(
    lambda name: name.lower() not in {"authorization", "host", "content-length", "accept-encoding", "user-agent"}
)
VALUES = st.from_regex(r"\A[!-~]([ -~]{0,20}[!-~])?\Z")
CREDENTIAL = InjectedHeader("Authorization", f"Bearer {SECRET}", (SECRET,))


class Read:
    """What a server reads."""

    def __init__(self, head: bytes) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.parser: Any = httptools.HttpRequestParser(self)
        self.parser.feed_data(head)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def all(self, name: bytes) -> list[bytes]:
        return [value for given, value in self.headers if given == name]


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    st.sampled_from(["https://a.test", "http://a.test:8080", "https://[::1]:9", "https://127.0.0.1"]),
    st.text("abc/?%41&=", max_size=12),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.none() | st.binary(max_size=20),
)
def test_a_server_reads_the_request_that_was_checked(
    method: str, origin: str, rest: str, headers: list[tuple[str, str]], body: bytes | None
) -> None:
    target = parse_url(f"{origin}/{rest.replace('%', '%41')}")
    head = Departure(target, method, tuple(headers), body, CREDENTIAL).head(user_agent="aileron")
    read = Read(head)
    assert read.parser.get_method() == method.encode()
    assert read.url == f"{target.path}{target.query}".encode()
    assert read.all(b"host") == [origin.split("://")[1].encode()]
    assert read.all(b"authorization") == [f"Bearer {SECRET}".encode()]
    length = str(len(body or b"")).encode()
    assert read.all(b"content-length") == ([length] if body or method in {"POST", "PUT", "PATCH"} else [])
    assert read.all(b"transfer-encoding") == []
    sent = [(name.lower().encode(), value.encode()) for name, value in headers]
    assert [pair for pair in read.headers if pair in sent] == sent


@pytest.mark.parametrize("odd", ["a\r\nX-Other: 1", "a\nb", "a\rb", "a\0b"])
@pytest.mark.parametrize("where", ["header", "credential"])
def test_a_value_that_would_begin_another_line_is_never_written(odd: str, where: str) -> None:
    headers = (("X-One", odd),) if where == "header" else ()
    credential = InjectedHeader("Authorization", odd) if where == "credential" else None
    departure = Departure(parse_url("https://a.test/"), "GET", headers, None, credential)
    with pytest.raises(HeadError):
        departure.head(user_agent="aileron")


async def test_a_credential_that_would_begin_another_line_does_not_leave_and_nothing_counts_as_sent(
    outside: Outside,
) -> None:
    up = await outside.upstream()
    broken = InjectedHeader("Authorization", f"{SECRET}\r\nX-Other: 1", (SECRET,))
    call = await outside.call(up, idempotent=False, credential=lambda _: broken)
    ok, error = await call.send("POST", up.url, body="x")
    assert (ok, error["code"], up.requests, call.context.sent_any) == (False, "network", [], False)
    assert SECRET not in str(error)


def test_a_header_of_the_connector_does_not_stand_beside_the_credential() -> None:
    head = Departure(parse_url("https://a.test/"), "GET", (("AUTHORIZATION", "mine"),), None, CREDENTIAL)
    assert Read(head.head(user_agent="aileron")).all(b"authorization") == [f"Bearer {SECRET}".encode()]


@pytest.mark.parametrize("size", [1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 300_000])
async def test_a_body_arrives_whole_whether_it_leaves_with_its_head_or_behind_it(outside: Outside, size: int) -> None:
    up = await outside.upstream()
    up.behave("/", status=204)
    call = await outside.call(up)
    assert (await call.send("POST", up.url, body="x" * size))[0]
    assert len(up.requests[0].body) == size


@pytest.mark.parametrize("status", [200, 204])
async def test_a_connection_is_used_again_also_after_an_answer_without_a_body(outside: Outside, status: int) -> None:
    up = await outside.upstream()
    up.behave("/", status=status)
    call = await outside.call(up)
    for _ in range(3):
        assert (await call.send("DELETE", up.url))[0]
    assert (len(up.requests), up.connections) == (3, 1)

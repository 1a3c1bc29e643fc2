"""What the gateway does not forward (row P9): methods outside the list, trailers, overrides, tokens of ours."""

import base64
from urllib.parse import quote

import pytest
from gateway.test_gateway import KEY, Start, start  # noqa: F401 - the fixture
from services.methods import ODD, REGISTRY
from services.raw_provider import plain

from daemon.core.providers import Style
from daemon.gateway.admission import METHODS, refusal
from daemon.gateway.own_tokens import holds_token, tokens_in, without_tokens

OPEN = {"GET", "HEAD", "POST", "DELETE"}
CLOSING = b"Connection: close"
PATHS = {Style.OPENAI: "v1/chat/completions", Style.ANTHROPIC: "v1/messages"}


@pytest.mark.parametrize("style", list(Style))
def test_only_a_closed_list_of_methods_goes_on_and_the_rest_is_refused_and_written_down(
    start: Start,  # noqa: F811
    style: Style,
) -> None:
    bench = start(plain("200 OK", b"", CLOSING))
    bench.bind(style.value)
    head = bench.head(PATHS[style], "METHOD")
    for method in (*REGISTRY, *ODD):
        answer = bench.raw(head.replace(b"METHOD", method.encode(), 1) + b"\r\n")
        status = int(answer.split(b" ", 2)[1])
        assert (status == 200) is (method in OPEN), (method, answer)
        # 405 is ours; 400 is the server's, which knows no such word and asks nobody.
        assert status in {200, 400, 405}, (method, answer)
        if status == 405:
            assert b"\r\nallow: DELETE, GET, HEAD, POST\r\n" in answer
            assert b"aud_" in answer
    assert {request.split(b" ", 1)[0].decode() for request in bench.provider.requests} == OPEN
    refused = {event["payload"]["http.request.method"] for event in bench.events("gateway.failed")}
    assert {"TRACE", "CONNECT", "OPTIONS", "PUT", "PATCH", "PROPFIND"} <= refused
    assert not refused & OPEN


def test_the_list_of_methods_is_the_same_without_a_server_in_front() -> None:
    for style in Style:
        for method in (*REGISTRY, *ODD, "", " GET", "GET ", "GET\r\n"):
            said = refusal(method, [], "v1/models", style)
            assert (said is None) is (method in METHODS[style]), method
            assert said is None or said.status == 405


def test_headers_behind_the_body_are_refused(start: Start) -> None:  # noqa: F811
    bench = start(plain("200 OK", b"{}", CLOSING))
    bench.bind()
    for declared in (b"", b"Trailer: X-Any\r\n"):
        for trailer in (b"Authorization: Bearer sk-other", b"X-Aileron-Token: x", b"X-Any: 1"):
            head = bench.head() + b"Transfer-Encoding: chunked\r\n" + declared + b"\r\n"
            answer = bench.raw(head + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 400 "), (declared, trailer)
    sent = b"".join(bench.provider.requests).lower()
    assert not any(part in sent for part in (b"sk-other", b"x-any", b"x-aileron-token"))


def test_a_header_that_makes_another_request_of_this_one_is_refused(start: Start) -> None:  # noqa: F811
    bench = start(plain())
    bench.bind()
    for line in (
        b"X-HTTP-Method-Override: TRACE", b"x-http-method: CONNECT", b"X-Method-Override: TRACE",
        b"X_HTTP_METHOD_OVERRIDE: TRACE", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: gzip",
        b"Trailer: X-Late", b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    ):  # fmt: skip
        answer = bench.raw(bench.head() + line + b"\r\n\r\n0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 "), (line, answer)
    assert bench.provider.requests == []


def test_an_answer_that_is_packed_for_the_transfer_is_not_passed_on_as_noise(start: Start) -> None:  # noqa: F811
    def answer(connection: object, _: bytes) -> None:
        connection.sendall(  # type: ignore[attr-defined]
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n\x1f\x8b\r\n0\r\n\r\n"
        )

    bench = start(answer)
    assert bench.post().status_code == 502
    assert "not HTTP/1.1" in bench.wait_for_event("gateway.failed")["error.message"]


def written(token: str) -> dict[str, str]:
    """The token in the ways that clients write what they take for their key."""
    return {
        "plain": token,
        "percent": "".join(f"%{byte:02x}" for byte in token.encode()),
        "percent twice": quote(quote(token, safe=""), safe="").replace("_", "%255F"),
        "base64": base64.b64encode(token.encode()).decode(),
        "base64 with a name in front": base64.b64encode(f"user:{token}".encode()).decode(),
        "base64 behind something": base64.b64encode(f"me:{token}".encode()).decode(),
        "hex": token.encode().hex(),
        "HEX": token.encode().hex().upper(),
    }


NAMES = ("Cookie", "X-Unforeseen", "X-Goog-Api-Key", "Proxy-Authorization", "Authorization", "X_Api_Key", "Referer")


def test_a_token_of_ours_is_taken_out_of_every_header_cookie_and_query(start: Start) -> None:  # noqa: F811
    bench = start(plain("200 OK", b"{}", CLOSING))
    bench.bind()
    for how, text in written(bench.token).items():
        for value in (f"a=b; session={text}; c=d", f"Bearer {text}", f"Basic {text}"):
            lines = "".join(f"{name}: {value}\r\n" for name in NAMES).encode()
            answer = bench.raw(bench.head(f"v1/models?first=1&key={quote(text)}&last=2", "GET") + lines + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 200 "), (how, value, answer)
            sent = bench.provider.requests[-1]
            assert sent.startswith(b"GET /v1/models?first=1&last=2 HTTP/1.1\r\n")
            assert b"authorization: Bearer " + KEY.encode() in sent, (how, value)
            assert text.encode() not in sent, (how, value)
    for request in bench.provider.requests:
        assert not holds_token(request)


def test_a_token_of_ours_in_the_path_is_refused_and_written_down_nowhere(start: Start) -> None:  # noqa: F811
    bench = start(plain())
    bench.bind()
    for text in written(bench.token).values():
        assert bench.raw(bench.head(f"v1/files/{text}", "GET") + b"\r\n").startswith(b"HTTP/1.1 400 "), text
        assert bench.post(f"v1/files/{text}", place="ailt_forged").status_code == 403
    assert bench.provider.requests == []
    said = str(bench.world.events())
    assert not [how for how, text in written(bench.token).items() if text in said]


def test_the_cookie_of_the_pages_never_leaves(start: Start) -> None:  # noqa: F811
    bench = start(plain())
    bench.post(headers={"Cookie": "theme=dark; aileron_session=0123456789abcdef", "Authorization": "Bearer sk-own"})
    assert b"aileron_session" not in bench.provider.requests[0]
    assert b"Bearer sk-own" in bench.provider.requests[0]


def test_what_holds_no_token_is_left_as_it_is() -> None:
    for text in (
        b"",
        b"sk-ant-oat01-abcdef_0123",
        b"100%",
        b"%zz%41",
        b"a=b&c=%20&&d",
        b"Basic dXNlcjpwYXNz",
        b"\xff%ff",
    ):
        assert not holds_token(text)
        assert without_tokens(text) == text
    assert tokens_in(b"Basic not base64 at all!") == []

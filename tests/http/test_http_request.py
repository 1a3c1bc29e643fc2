"""Reading a connector's request: every text gives a request or a denial, and each rule has a test."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.connectors.http.records import DenialKind, ErrorCode
from daemon.connectors.http.request import Denied, OutboundRequest, RequestRules, parse_request, redirect_target
from daemon.core.authority import HostPort
from tests.services.methods import ODD, REGISTRY
from tests.services.outbound import manifest_for

LIMIT = 1000
RULES = RequestRules.of(
    manifest_for("slack.com:443", "10.0.0.5:8080", header="X-Api-Key"),
    allow_private=frozenset({HostPort.parse("10.0.0.5:8080")}),
    max_body_bytes=LIMIT,
)


def read(**given_request: Any) -> OutboundRequest | Denied:
    return parse_request(json.dumps({"method": "GET", "url": "https://slack.com/x", **given_request}), RULES)


def denied(**given_request: Any) -> Denied:
    found = read(**given_request)
    assert isinstance(found, Denied)
    return found


def test_a_request_within_the_rules_is_read_whole() -> None:
    found = read(
        method="POST",
        url="https://slack.com/x?y=1",
        headers=[["Accept", "a/b"], ["accept", "c"]],
        body="é",
        timeout_ms=1500,
    )
    assert isinstance(found, OutboundRequest)
    assert found.method == "POST"
    assert found.target.url == "https://slack.com/x?y=1"
    assert found.headers == (("Accept", "a/b"), ("accept", "c"))
    assert found.body == "é".encode()
    assert found.timeout_seconds == 1.5


@pytest.mark.parametrize(
    "host", ["evil.com", "api.slack.com", "slack.com.evil.com", "slack.com:8443", "xslack.com", "8.8.8.8"]
)
def test_a_host_that_the_manifest_does_not_name_is_denied(host: str) -> None:
    found = denied(url=f"https://{host}/")
    assert (found.code, found.kind) == (ErrorCode.DENIED, DenialKind.HOST)
    assert found.host in found.message


def test_plain_http_is_denied_except_for_a_private_host_that_the_user_allowed() -> None:
    assert denied(url="http://slack.com:443/").kind is DenialKind.SCHEME
    assert isinstance(read(url="http://10.0.0.5:8080/"), OutboundRequest)
    assert isinstance(read(url="https://10.0.0.5:8080/"), OutboundRequest)


@pytest.mark.parametrize("name", ["X-Api-Key", "x-api-key", "X_API_KEY", "x-Api_key"])
def test_a_request_that_sets_the_credentials_header_is_denied(name: str) -> None:
    found = denied(headers=[[name, "mine"]])
    assert (found.code, found.kind) == (ErrorCode.DENIED, DenialKind.CREDENTIAL_HEADER)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Upgrade",
        "TE",
        "Trailer",
        "Expect",
        "Proxy-Authorization",
        "proxy-connection",
        "Proxy-X",
        "content_length",
    ],
)
def test_a_header_that_the_host_owns_is_denied(name: str) -> None:
    assert denied(headers=[[name, "1"]]).kind is DenialKind.HEADER


@pytest.mark.parametrize(
    "header",
    [
        ["a b", "c"],
        ["", "c"],
        ["a:", "c"],
        ["a\r\nb", "c"],
        ["a", "b\r\nc: d"],
        ["a", "b\nc"],
        ["a", "\x00"],
        ["ä", "c"],
        ["a", "\ud800"],
        ["a"],
        ["a", "b", "c"],
        ["a", 1],
        "ab",
        {"a": "b"},
        None,
    ],
)
def test_a_malformed_header_is_refused(header: Any) -> None:
    assert denied(headers=[header]).code is ErrorCode.BAD_REQUEST


def test_headers_are_bounded_in_number_and_size() -> None:
    assert isinstance(read(headers=[["a", "b"]] * 100), OutboundRequest)
    assert denied(headers=[["a", "b"]] * 101).code is ErrorCode.TOO_LARGE
    assert denied(headers=[["a", "b" * 33_000]]).code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize(
    ("value", "fine"),
    [("gzip", True), ("identity;q=1, gzip", True), ("br", False), ("gzip, zstd", False), ("*", False)],
)
def test_only_codings_that_the_host_can_read_may_be_asked_for(value: str, *, fine: bool) -> None:
    assert isinstance(read(headers=[["accept-encoding", value]]), OutboundRequest) is fine


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "get"}, {"method": "CONNECT"}, {"method": "TRACE"}, {"method": None}, {"method": "GET /x\r\n"},
        {"url": None}, {"url": 5}, {"url": "https://a@slack.com/"}, {"headers": {}}, {"headers": "x"},
        {"body": 5}, {"body": "\ud800"}, {"body_base64": "!"}, {"body_base64": 5}, {"body_base64": "é"},
        {"body": "a", "body_base64": "YQ=="}, {"timeout_ms": 0}, {"timeout_ms": -1}, {"timeout_ms": True},
        {"timeout_ms": "5"}, {"timeout_ms": 10**400}, {"timeout_ms": float("nan")}, {"timeout_ms": float("inf")},
        {"redirect": "follow"}, {"verify": False}, {"": 1},
    ],
)  # fmt: skip
def test_a_request_that_breaks_the_contract_is_a_bad_request(wrong: dict[str, Any]) -> None:
    found = denied(**wrong)
    assert found.code is ErrorCode.BAD_REQUEST
    assert found.kind is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1" * 10_000, "[" * 100_000, '"x"', '{"method": "GET"}', '{"a": ' * 50_000]
)
def test_a_text_that_is_no_request_is_a_bad_request(text: str) -> None:
    found = parse_request(text, RULES)
    assert isinstance(found, Denied)
    assert found.code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1])
def test_a_body_is_bounded_to_the_byte_in_either_form(size: int) -> None:
    body = "x" * size
    for form in ({"body": body}, {"body_base64": base64.b64encode(body.encode()).decode()}):
        found = read(method="POST", **form)
        if size > LIMIT:
            assert isinstance(found, Denied)
            assert found.code is ErrorCode.TOO_LARGE
        else:
            assert isinstance(found, OutboundRequest)
            assert found.body == body.encode()


def test_a_text_beyond_any_body_is_refused_before_it_is_parsed() -> None:
    found = parse_request(" " * (6 * LIMIT + 1_000_001), RULES)
    assert isinstance(found, Denied)
    assert found.code is ErrorCode.TOO_LARGE


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_requests = st.dictionaries(
    st.sampled_from(["method", "url", "headers", "body", "body_base64", "timeout_ms", "x"]),
    _values
    | st.sampled_from(["GET", "POST", "https://slack.com/", "http://10.0.0.5:8080/x", "https://slack.com:443/?q"])
    | st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)).map(list), max_size=3),
)


@given(st.text() | _requests.map(json.dumps) | st.text().map(json.dumps))
def test_any_text_gives_a_request_or_a_denial(text: str) -> None:
    found = parse_request(text, RULES)
    if isinstance(found, OutboundRequest):
        assert found.target.host_port in RULES.hosts
        for name, value in found.headers:
            assert not set("\r\n\x00") & set(name + value)
    else:
        assert isinstance(found, Denied)
        found.message.encode()


@given(st.text(max_size=80))
def test_any_redirect_stays_at_its_origin_or_is_denied(location: str) -> None:
    request = read(url="https://slack.com/a/b")
    assert isinstance(request, OutboundRequest)
    found = redirect_target(request.target, location, RULES)
    if isinstance(found, Denied):
        assert found.kind is not None
    else:
        assert found.same_origin(request.target)


@pytest.mark.parametrize(
    "location",
    ["https://evil.com/", "//evil.com/", "http://slack.com/", "http://slack.com:443/", "https://slack.com:8443/",
     "https://10.0.0.5:8080/", "https://slack.com@evil.com/", "/\\evil.com"],
)  # fmt: skip
def test_a_redirect_to_another_origin_is_denied_even_if_the_manifest_names_it(location: str) -> None:
    request = read()
    assert isinstance(request, OutboundRequest)
    found = redirect_target(request.target, location, RULES)
    assert isinstance(found, Denied)
    assert found.kind is DenialKind.REDIRECT


def test_only_a_closed_list_of_methods_is_sent_and_every_other_word_is_refused() -> None:
    allowed = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    for method in (*REGISTRY, *ODD, "", " GET", "GET ", "get", "GET\r\nX: y", "GET /x HTTP/1.1", "G\u0395T"):
        found = read(method=method)
        assert isinstance(found, OutboundRequest) is (method in allowed), method
        if isinstance(found, Denied):
            assert found.code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize(
    "name",
    ["X-HTTP-Method-Override", "x_http_method", "X-Method-Override", "HTTP-Method-Override", "X-Original-URL",
     "x-rewrite-url", "HTTP2-Settings", "A-IM", "a_im"],
)  # fmt: skip
def test_a_header_that_would_make_another_request_of_this_one_is_denied(name: str) -> None:
    found = denied(headers=[[name, "TRACE"]], method="POST")
    assert (found.code, found.kind) == (ErrorCode.DENIED, DenialKind.HEADER)

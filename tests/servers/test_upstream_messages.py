"""What comes from a server as bytes: lines, events, JSON, headers. Pure, and generated where that finds more."""

import base64
import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.tools.servers.upstream import headers, messages
from daemon.tools.servers.upstream.eras import in_handshake_form, in_modern_form
from daemon.tools.servers.upstream.events import Event, Events
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.lines import Dropped, Lines
from daemon.tools.servers.upstream.lists import every_page
from daemon.tools.servers.upstream.messages import Unreadable, decode, encode
from daemon.tools.servers.upstream.seam import Trouble
from daemon.tools.servers.upstream.statuses import error_in, problem_of, session_is_gone

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b""))), st.lists(st.integers(0, 400)))
def test_lines_are_the_same_however_they_arrive_and_none_is_held_that_is_too_long(
    lines: list[bytes], cuts: list[int]
) -> None:
    splitter = Lines(20)
    found: list[bytes | Dropped] = []
    for piece in in_pieces(b"".join(line + b"\n" for line in lines), cuts):
        found += splitter.feed(piece, blank=True)
        assert len(splitter._held) <= 20
    expected = [line if len(line) <= 20 else len(line) for line in lines]
    assert [each.size if isinstance(each, Dropped) else each for each in found] == expected


@given(st.lists(JSON.map(lambda value: {"v": value}), min_size=1), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.data())
def test_events_are_the_same_however_they_arrive_and_their_lines_end(
    values: list[Any], end: bytes, data: st.DataObject
) -> None:
    texts = [json.dumps(value, indent=data.draw(st.sampled_from([None, 1]))) for value in values]
    stream = b"\xef\xbb\xbf: hello" + end + end
    for number, text in enumerate(texts):
        stream += b"id: %d" % number + end
        stream += b"".join(b"data: " + line.encode() + end for line in text.split("\n")) + end
    events = Events(1 << 20)
    cuts = data.draw(st.lists(st.integers(0, 10_000)))
    found = [event for piece in in_pieces(stream, cuts) for event in events.feed(piece)]
    assert [json.loads(event.data) for event in found if isinstance(event, Event)] == values
    assert events.last_id == str(len(values) - 1)


def test_an_event_that_is_too_long_is_dropped_in_one_line_or_in_many() -> None:
    for stream in (b"data: " + b"x" * 1000 + b"\n\n", b"data: xxxxxxxxxx\n" * 100 + b"\n"):
        events = Events(100)
        found = list(events.feed(stream + b"data: next\n\n"))
        assert isinstance(found[0], Dropped)
        assert found[1:] == [Event(b"next")]


@given(JSON.filter(lambda value: not isinstance(value, list)))
def test_a_message_is_read_as_it_was_written(value: Any) -> None:
    message = messages.request(7, "tools/call", {"arguments": value})
    assert b"\n" not in encode(message)
    assert decode(encode(message)) == (message,)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"x", b"17", b'"text"', b"null", b"[]", b"[1]", b"[[{}]]", b"[" * 100_000, b'{"a":' * 100_000),
        *(
            b'{"a": NaN}',
            b'{"a": 1e999}',
            b'{"a": ' + b"9" * 400 + b".0}",
            b'{"a": 1' + b"0" * 210 + b"e99}",
            b'{"a": ' + b"9" * 10_000 + b"}",
        ),
        *(b"{'a': 1}", b"\xff\xfe{}", b'{"a": "\x00"}'),
    ],
)
def test_what_is_no_message_is_said_to_be_none(data: bytes) -> None:
    assert isinstance(decode(data), Unreadable)


def test_a_text_that_no_text_can_hold_becomes_question_marks_and_the_rest_arrives() -> None:
    assert decode(b'{"id": 1, "result": {"text": "a \\ud800 b"}}') == ({"id": 1, "result": {"text": "a ? b"}},)
    assert decode(b'{"id": 1, "result": {"text": "a \xff b"}}') == ({"id": 1, "result": {"text": "a \ufffd b"}},)


def test_json_that_would_take_many_times_its_size_is_not_read_and_a_long_table_is() -> None:
    for bomb in (b"[" + b"{}," * 400_000 + b"{}]", b'{"a":[' + b'"",' * 400_000 + b"0]}"):
        assert isinstance(decode(b'{"result":' + bomb + b"}"), Unreadable)
    table = "a,b,c\\n" * 300_000
    (message,) = decode(b'{"result": {"text": "%s"}}' % table.encode())  # type: ignore[misc]
    assert message["result"]["text"].count(",") == 600_000


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b'{"jsonrpc":"2.0","id":12,"result":{"a":', 12),
        (b'{ "id" : 3 , "result": broken', 3),
        (b'{"result": [}, "id": 4}', 4),
        (b'{"result": [}, "id": 4, "jsonrpc": "2.0"}', 4),
        (b'{"result": {"id": 5, broken', None),
        (b'{"method": "x", "params": {"id": 5', None),
        (b'{"jsonrpc":"2.0","id":"6","result":', None),
    ],
)
def test_the_request_that_a_broken_answer_belongs_to_is_found_only_where_an_id_stands(
    line: bytes, number: int | None
) -> None:
    assert decode(line) == Unreadable("it wrote what is no JSON", number)


@given(st.text())
def test_a_header_says_exactly_the_text_and_is_plain(value: str) -> None:
    encoded = headers.encoded(value)
    assert encoded.isascii()
    assert encoded == encoded.strip()
    assert not any(ord(letter) < 32 for letter in encoded)
    if encoded != value:
        inner = encoded.removeprefix("=?base64?").removesuffix("?=")
        assert base64.b64decode(inner) == value.encode("utf-8", "replace")
    else:
        assert not (value.startswith("=?base64?") and value.endswith("?="))


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_arguments_are_repeated_in_headers_as_the_definition_says() -> None:
    said = schema(
        place={"type": "string", "x-mcp-header": "Place"},
        inner=schema(count={"type": "integer", "x-mcp-header": "Count"}, on={"type": "boolean", "x-mcp-header": "On"}),
        data={"type": "object", "default": {"x-mcp-header": "no annotation"}},
    )
    mirrored = headers.mirrored_in(said)
    assert mirrored is not None
    assert headers.parameters(mirrored, {"place": "x", "inner": {"count": 7, "on": True}}) == {
        "Mcp-Param-Place": "x",
        "Mcp-Param-Count": "7",
        "Mcp-Param-On": "true",
    }
    assert headers.parameters(mirrored, {"place": None, "inner": "no object"}) == {}


@pytest.mark.parametrize(
    "said",
    [
        schema(a={"type": "number", "x-mcp-header": "A"}),
        schema(a={"x-mcp-header": "A"}),
        schema(a={"type": "string", "x-mcp-header": "two words"}),
        schema(a={"type": "string", "x-mcp-header": "A\r\nB: c"}),
        schema(a={"type": "string", "x-mcp-header": ""}),
        schema(a={"type": "string", "x-mcp-header": 5}),
        schema(a={"type": "string", "x-mcp-header": "A"}, b={"type": "string", "x-mcp-header": "a"}),
        schema(a={"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}),
        {"anyOf": [schema(a={"type": "string", "x-mcp-header": "A"})]},
        {"x-mcp-header": "A", "type": "string"},
    ],
)
def test_a_tool_with_a_header_that_the_specification_forbids_is_left_out(said: Any) -> None:
    assert headers.mirrored_in(said) is None


@given(st.dictionaries(st.sampled_from(["resultType", "ttlMs", "cacheScope", "content", "isError"]), JSON))
def test_the_form_of_a_result_is_that_of_the_era_and_its_content_stays(result: dict[str, Any]) -> None:
    old = in_handshake_form(result)
    assert not {"resultType", "ttlMs", "cacheScope"} & set(old)
    assert {key: old[key] for key in old} == {key: result[key] for key in ("content", "isError") if key in result}
    assert "resultType" in in_modern_form(dict(old))


JSON_TYPE = [(b"content-type", b"application/json")]


def error(number: Any, code: int = -32001, message: str = "Session not found") -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}).encode()


def test_a_session_is_gone_only_when_the_server_says_so_before_it_did_anything() -> None:
    for body in (b"", error(None), error("server-error"), error(5), b"<html>"):
        assert session_is_gone(404, body, had_session=True)
        assert not session_is_gone(404, body, had_session=False)
    assert session_is_gone(400, error(None, -32000, "Bad Request: No valid session ID provided"), had_session=True)
    assert not session_is_gone(404, error(5, -32601, "Method not found"), had_session=True)
    assert not session_is_gone(400, error(5, -32602, "no such session in your arguments"), had_session=True)
    assert not session_is_gone(500, b"", had_session=True)


def test_an_error_in_a_body_counts_only_for_the_request_that_was_made() -> None:
    assert error_in(error(5), 5) is not None
    assert (error_in(error(None), 5) or {})["id"] == 5
    assert error_in(error(6), 5) is None
    assert error_in(b'{"id": 5, "result": {}}', 5) is None
    assert error_in(b"<html>", 5) is None


def test_a_status_tells_whether_the_request_may_have_run() -> None:
    troubles = {status: problem_of("host:1", status, []).trouble for status in (400, 401, 403, 404, 405, 409, 429)}
    assert troubles.pop(401) is troubles.pop(403) is Trouble.UNAUTHORISED
    assert set(troubles.values()) == {Trouble.REFUSED}
    for status in (500, 502, 503, 504, 100):
        assert problem_of("host:1", status, []).may_have_run
    assert "Try again in 7 s" in problem_of("host:1", 429, [(b"retry-after", b"7")]).message


async def test_a_list_holds_as_long_as_its_shortest_page_and_nonsense_says_nothing() -> None:
    async def holds(*said: object) -> float:
        pages = [{"tools": [], "ttlMs": each, "nextCursor": str(number)} for number, each in enumerate(said)]
        del pages[-1]["nextCursor"]

        async def page(params: Mapping[str, Any]) -> Mapping[str, Any]:
            return pages[int(params.get("cursor", -1)) + 1]

        return (await every_page("tools/list", page, Limits())).holds_seconds

    assert await holds(90_000) == 90
    assert await holds(90_000, 5_000, 60_000) == 5
    for nonsense in (None, -1, True, "90000", float("inf"), float("nan"), 10**30):
        assert await holds(nonsense) == 0
        assert await holds(90_000, nonsense) == 0

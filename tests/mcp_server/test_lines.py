"""Reading lines is pure: whatever they hold, they are a message or have an answer, and an id is found again."""

import json
from typing import Any

import mcp_types as types
from hypothesis import given
from hypothesis import strategies as st

from aileron_mcp.lines import encode, read_line
from aileron_mcp.outline import outline

_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=12,
)
_IDS = st.integers() | st.text(max_size=20)


@given(st.dictionaries(_TEXT | st.just("id"), _JSON, max_size=5), _IDS, st.booleans())
def test_the_id_of_any_object_is_found_wherever_it_stands(value: dict[str, Any], number: Any, first: bool) -> None:
    value.pop("id", None)
    whole = {"id": number, **value} if first else {**value, "id": number}
    found = outline(json.dumps(whole).encode())
    assert json.loads(found.id) == number
    assert found.names == set(whole)


@given(st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "result", "x"]), _JSON | _IDS))
def test_whatever_has_a_method_and_an_id_is_a_request_or_is_answered(value: dict[str, Any]) -> None:
    read = read_line(json.dumps(value).encode())
    if {"method", "id"} <= value.keys():
        assert isinstance(read, types.JSONRPCRequest) or len(read) == 1  # type: ignore[arg-type]


@given(st.binary(max_size=80) | st.text(alphabet='{}[]":,id1\\ \n', max_size=80).map(str.encode))
def test_no_bytes_make_the_reader_fail(line: bytes) -> None:
    read = read_line(line)
    for refusal in read if isinstance(read, tuple) else ():
        assert json.loads(refusal.encoded())["error"]["code"] in {types.PARSE_ERROR, types.INVALID_REQUEST}


def test_what_utf_8_cannot_hold_is_written_as_a_question_mark_and_the_rest_arrives() -> None:
    line = encode(types.JSONRPCResponse(jsonrpc="2.0", id=1, result={"a": "x\ud800y", "b": 1}))
    assert json.loads(line)["result"] == {"a": "x?y", "b": 1}

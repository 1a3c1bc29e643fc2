"""JSON that is written by an encoder made once: the same text as the standard library's, and the same refusals."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.json_writing import json_writer

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(values, st.booleans(), st.booleans())
def test_the_text_is_that_of_the_standard_library(value: Any, ascii_only: bool, sort_keys: bool) -> None:
    expected = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only, sort_keys=sort_keys)
    assert json_writer(ascii_only=ascii_only, sort_keys=sort_keys)(value) == expected


def test_what_json_cannot_hold_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    write = json_writer(ascii_only=True)
    for value, error in ((float("nan"), ValueError), ([float("inf")], ValueError), (object(), TypeError)):
        with pytest.raises(error):
            write({"a": value})
    with pytest.raises(RecursionError):
        write(endless)
    assert write({"a": "é"}) == '{"a":"\\u00e9"}', "a refusal leaves nothing behind"

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.canonical import MAX_DEPTH, MAX_SAFE_INTEGER, CanonicalError, _is_plain, canonical_json

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8785.json").read_text(encoding="utf-8"))

# Surrogates, text beyond U+FFFF and characters around it are drawn often: there the two orders differ.
texts = st.text() | st.text(st.sampled_from('a\u0080\uffff\ufb33\U00010000\U0001f600\n\\"\x1f\x7f'), max_size=4)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)
wild = st.recursive(
    scalars | st.text(st.characters(codec=None)) | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec=None), max_size=2) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)


def read(text: str) -> Any:
    """Read JSON as RFC 8785 sees it: every number is a double."""
    return json.loads(text, parse_int=lambda digits: int(digits) if abs(int(digits)) < 2**53 else float(digits))


@pytest.mark.parametrize(("bits", "written"), VECTORS["numbers"])
def test_numbers_are_written_as_appendix_b_says(bits: str, written: str | None) -> None:
    number = struct.unpack(">d", bytes.fromhex(bits))[0]
    if written is None:
        with pytest.raises(CanonicalError):
            canonical_json(number)
    else:
        assert canonical_json(number) == written


@pytest.mark.parametrize("document", VECTORS["documents"])
def test_the_sample_document_is_written_as_the_rfc_says(document: dict[str, str]) -> None:
    assert canonical_json(json.loads(document["input"])) == document["canonical"]


def test_keys_sort_by_their_utf16_units() -> None:
    sorting = VECTORS["sorting"]
    assert list(json.loads(canonical_json(json.loads(sorting["input"]))).values()) == sorting["order"]


@given(values)
def test_the_text_equals_that_of_the_reference_library(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value).decode()
    except rfc8785.CanonicalizationError:
        with pytest.raises(CanonicalError):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


@given(wild)
def test_any_value_gives_a_canonical_text_or_a_canonical_error(value: Any) -> None:
    try:
        text = canonical_json(value)
    except CanonicalError:
        return
    assert canonical_json(read(text)) == text


@given(values)
def test_reading_and_writing_again_changes_nothing(value: Any) -> None:
    try:
        text = canonical_json(value)
    except CanonicalError:
        return
    assert canonical_json(read(text)) == text


def test_an_audit_payload_takes_the_fast_road() -> None:
    assert _is_plain({"a": [1, {"b": None}], "é": "\U0001f600", "c": True})
    assert not _is_plain({"\U0001f600": 1})
    assert not _is_plain({"a": 1.5})


@pytest.mark.parametrize("number", [MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, 10**30])
def test_integers_that_readers_would_round_are_refused(number: int) -> None:
    with pytest.raises(CanonicalError):
        canonical_json({"id": number})


@pytest.mark.parametrize("key", [1, None, True, 1.5, b"a"])
def test_keys_that_are_not_text_are_refused(key: Any) -> None:
    with pytest.raises(CanonicalError, match="keys must be strings"):
        canonical_json({"a": {key: "value"}})


@pytest.mark.parametrize("value", ["\ud800", {"\udc00": 1}, {"\ud83d": 1, "\U0001f600": 2}, ["ok", "\udfff"]])
def test_lone_surrogates_are_refused(value: Any) -> None:
    with pytest.raises(CanonicalError, match="Unicode"):
        canonical_json(value)


@pytest.mark.parametrize("leaf", [0, 1.5, "\U0001f600"])
def test_the_depth_limit_is_the_same_on_both_roads(leaf: Any) -> None:
    def nest(depth: int) -> Any:
        value = leaf
        for _ in range(depth):
            value = {"\U0001f600" if leaf == 1.5 else "k": value}
        return value

    assert canonical_json(nest(MAX_DEPTH))
    with pytest.raises(CanonicalError, match="nested"):
        canonical_json(nest(MAX_DEPTH + 1))
    with pytest.raises(CanonicalError, match="nested"):
        canonical_json(nest(100_000))


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = [1.5]
    loop.append(loop)
    with pytest.raises(CanonicalError, match="nested"):
        canonical_json(loop)

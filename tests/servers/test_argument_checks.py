"""Arguments are checked against the pinned schema, and a schema that was written to do harm does none."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.failures import Failure, FailureClass
from daemon.tools.servers.arguments import ArgumentCheck

ISSUE = {
    "type": "object",
    "properties": {"title": {"type": "string", "minLength": 1}, "n": {"type": "integer", "minimum": 1}},
    "required": ["title"],
    "additionalProperties": False,
}


def problems(schema: Any, arguments: Any) -> list[str]:
    found = refusal(ArgumentCheck(schema), arguments)
    return [] if found is None else list(found.details["problems"])


def refusal(check: ArgumentCheck, arguments: Any) -> Failure | None:
    try:
        check.check("github/create_issue", arguments)
    except Failure as failure:
        return failure
    return None


def test_what_fits_passes_and_every_problem_is_named() -> None:
    assert problems(ISSUE, {"title": "x", "n": 3}) == []
    found = problems(ISSUE, {"n": 0, "zz": 1})
    assert len(found) == 3
    assert any(each.startswith("n: ") for each in found)
    assert any("'zz'" in each for each in found)


def test_references_inside_the_schema_are_followed() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}
    assert problems(schema, {"a": "x"})
    assert not problems(schema, {"a": 1})


def test_a_schema_of_an_older_draft_is_understood_as_one() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"pair": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}},
    }
    assert problems(schema, {"pair": [1, 1]})
    assert not problems(schema, {"pair": ["a", 1]})


def doubling(levels: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {"a0": {"type": "string"}}
    for level in range(1, levels):
        below = {"$ref": f"#/$defs/a{level - 1}"}
        definitions[f"a{level}"] = {"anyOf": [below, below]}
    return {"$defs": definitions, "properties": {"x": {"$ref": f"#/$defs/a{levels - 1}"}}}


@pytest.mark.parametrize(
    "schema",
    [
        doubling(60),
        {"$ref": "http://127.0.0.1:1/schema"},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#"}}},
        {"properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
        {"$ref": "#/nowhere"},
        {"$dynamicRef": "#x"},
        {"type": "nonsense"},
        {"properties": {f"p{n}": {"pattern": f"^{n}$"} for n in range(500)}},
        {"anyOf": [{"const": n} for n in range(20_000)]},
    ],
    ids=["doubling", "network", "file", "itself", "deep", "branching", "nowhere", "dynamic", "none", "many", "wide"],
)
def test_a_hostile_schema_is_left_to_its_server_and_says_why(schema: Any) -> None:
    began = time.process_time()
    check = ArgumentCheck(schema)
    check.check("s/t", {"a": {"a": {"a": 1}}, "x": 3})
    assert check.unchecked
    assert time.process_time() - began < 5


def test_a_pattern_that_makes_others_backtrack_is_matched_in_linear_time() -> None:
    schema = {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    began = time.process_time()
    assert problems(schema, {"a": "a" * 50_000 + "!"})
    assert time.process_time() - began < 5


def test_a_pattern_that_we_cannot_match_is_left_out_and_the_rest_is_checked() -> None:
    schema = {"properties": {"a": {"type": "string", "pattern": "(?=x)y"}, "n": {"type": "integer"}}}
    check = ArgumentCheck(schema)
    assert not check.unchecked
    check.check("s/t", {"a": "anything"})
    assert problems(schema, {"n": "x"})


def test_a_pattern_that_would_take_much_memory_is_left_out() -> None:
    assert not problems({"properties": {"a": {"pattern": "(?:a{1000}){1000}"}}}, {"a": "b"})


def test_arguments_that_would_take_too_long_to_check_are_refused() -> None:
    schema = {"properties": {"a": {"items": {"anyOf": [{"minLength": n} for n in range(2000)]}}}}
    assert "more values than can be checked" in problems(schema, {"a": [0] * 50_000})[0]


def test_arguments_that_are_nested_without_end_are_refused_and_do_not_crash() -> None:
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    ArgumentCheck({"type": "object"}).check("s/t", deep)


def test_what_is_said_of_arguments_is_short_and_visible() -> None:
    (said,) = problems({"properties": {"a": {"type": "integer"}}}, {"a": "\u202e" + "x" * 5000})
    assert len(said) < 400
    assert said.isascii()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "properties", "$ref", "pattern", "anyOf", "items", "const", "$defs"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_a_server_writes_as_a_schema_is_used_or_left_alone(schema: Any) -> None:
    if isinstance(schema, dict):
        found = refusal(ArgumentCheck(schema), {"a": [1, "x", None], "$ref": {}})
        assert found is None or found.failure_class is FailureClass.INVALID_ARGUMENTS

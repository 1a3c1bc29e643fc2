import json
import math
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.action import Input
from daemon.core.canonical import MAX_SAFE_INTEGER, canonical_json
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.schema import MAX_STRING_LENGTH, input_schema, validate_arguments

CHANNEL = Input("channel", "string", description="Where to.", pattern="^#[a-z]+$", min_length=2, max_length=10)
LEVEL = Input("level", "string", required=False, enum=("low", "high"), default="low", has_default=True)
COUNT = Input("count", "integer", required=False, minimum=1, maximum=9)
RATIO = Input("ratio", "number", required=False, minimum=0.5)
LOUD = Input("loud", "boolean", required=False, default=False, has_default=True)
INPUTS = (CHANNEL, LEVEL, COUNT, RATIO, LOUD)


def problems(arguments: dict[Any, Any], inputs: tuple[Input, ...] = INPUTS) -> list[str]:
    with pytest.raises(Failure) as caught:
        validate_arguments(inputs, arguments)
    assert caught.value.failure_class is FailureClass.INVALID_ARGUMENTS
    assert caught.value.boundary is Boundary.ACTION
    found: list[str] = caught.value.details["problems"]
    assert all(problem in caught.value.message for problem in found)
    return found


def test_the_schema_says_everything_the_inputs_say() -> None:
    assert input_schema(INPUTS) == {
        "type": "object",
        "properties": {
            "channel": {
                "type": "string",
                "description": "Where to.",
                "pattern": "^#[a-z]+$",
                "minLength": 2,
                "maxLength": 10,
            },
            "level": {"type": "string", "enum": ["low", "high"], "default": "low"},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "ratio": {"type": "number", "minimum": 0.5},
            "loud": {"type": "boolean", "default": False},
        },
        "required": ["channel"],
        "additionalProperties": False,
    }
    jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **input_schema(INPUTS)})


def test_defaults_are_filled_in_and_absent_arguments_stay_absent() -> None:
    assert validate_arguments(INPUTS, {"channel": "#eng"}) == {"channel": "#eng", "level": "low", "loud": False}
    assert validate_arguments((), {}) == {}


def test_a_whole_number_has_one_form() -> None:
    given_as_float = validate_arguments(INPUTS, {"channel": "#eng", "count": 3.0})
    assert given_as_float["count"] == 3
    assert type(given_as_float["count"]) is int
    assert validate_arguments(INPUTS, {"channel": "#eng", "ratio": 3})["ratio"] == 3


def test_every_problem_is_listed() -> None:
    assert problems({"chanel": "#eng", "level": "mid", "count": True, "ratio": "1", "loud": 1}) == [
        "'channel' is missing; give a string.",
        "'level' must be one of 'low', 'high'.",
        "'count' must be a whole number, not a boolean.",
        "'ratio' must be a number, not a string.",
        "'loud' must be true or false, not a number.",
        "'chanel' is unknown; did you mean 'channel'?",
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"channel": None}, "'channel' must be a string, not null; leave it out to give none."),
        ({"channel": ["#eng"]}, "'channel' must be a string, not a list."),
        ({"channel": {}}, "'channel' must be a string, not an object."),
        ({"channel": "#"}, "'channel' must have at least 2 characters, and has 1."),
        ({"channel": "#" + "a" * 10}, "'channel' must have at most 10 characters, and has 11."),
        ({"channel": "eng"}, "'channel' must match the pattern ^#[a-z]+$."),
        ({"channel": "#eng\n"}, "'channel' must match the pattern ^#[a-z]+$."),
        ({"channel": "#\ud800"}, "'channel' must be valid Unicode text, without lone surrogates."),
        ({"channel": "#eng", "count": 0}, "'count' must be at least 1."),
        ({"channel": "#eng", "count": 10}, "'count' must be at most 9."),
        ({"channel": "#eng", "count": 1.5}, "'count' must be a whole number, without a fraction."),
        ({"channel": "#eng", "count": "3"}, "'count' must be a whole number, not a string."),
        ({"channel": "#eng", "ratio": math.nan}, "'ratio' must be a finite number."),
        ({"channel": "#eng", "ratio": math.inf}, "'ratio' must be a finite number."),
        ({"channel": "#eng", "count": math.inf}, "'count' must be a finite number."),
        ({"channel": "#eng", "ratio": 0.25}, "'ratio' must be at least 0.5."),
        ({"channel": "#eng", "other": 1}, "'other' is unknown; the inputs are 'channel', 'level', 'count', 'ratio'"),
    ],
)
def test_a_problem_names_the_argument_and_what_would_be_right(arguments: dict[str, Any], problem: str) -> None:
    found = problems(arguments)
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize("number", [MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, 1e300, 2.0**53, 10**400])
def test_numbers_that_json_readers_would_round_are_refused(number: float) -> None:
    unbounded = (replace(COUNT, minimum=None, maximum=None), replace(RATIO, minimum=None))
    assert len(problems({"count": number, "ratio": number}, unbounded)) == 2


def test_a_text_has_a_bound_even_when_the_file_names_none() -> None:
    plain = (Input("text", "string"),)
    assert validate_arguments(plain, {"text": "a" * MAX_STRING_LENGTH})
    assert "at most 1048576 characters" in problems({"text": "a" * (MAX_STRING_LENGTH + 1)}, plain)[0]
    assert "because it has a pattern" in problems({"text": "a" * 65_537}, (Input("text", "string", pattern="a"),))[0]


def test_a_flood_of_unknown_arguments_gives_a_short_answer() -> None:
    found = problems({"channel": "#eng", **{f"x{n}" * 50: n for n in range(100_000)}})
    assert len(found) == 51
    assert found[-1] == "And 99950 more."
    assert len(" ".join(found)) < 20_000


def test_an_action_without_inputs_takes_no_arguments() -> None:
    assert problems({"x": 1}, ()) == ["'x' is unknown; the action takes no inputs."]


def test_an_enum_of_numbers_does_not_take_true_for_one() -> None:
    one = (Input("n", "integer", enum=(1, 2)),)
    assert problems({"n": True}, one)
    assert validate_arguments(one, {"n": 1.0}) == {"n": 1}


near = st.sampled_from(["#eng", "#e", "#", "low", "high", "", 0, 1, 9, 10, 0.5, 1.0, 2.5, True, False, None])
anything = near | st.text(max_size=12) | st.integers() | st.floats() | st.lists(st.integers(), max_size=2)
calls = st.dictionaries(st.sampled_from([*(given.name for given in INPUTS), "other"]), anything, max_size=6)


@given(calls)
def test_the_check_and_the_schema_agree(arguments: dict[str, Any]) -> None:
    try:
        written = json.dumps(arguments, allow_nan=False)
    except ValueError:
        problems(arguments)
        return
    validator = jsonschema_rs.Draft202012Validator(input_schema(INPUTS))
    ratio = arguments.get("ratio")
    if isinstance(ratio, int | float) and abs(ratio) > MAX_SAFE_INTEGER:
        problems(arguments)  # the one rule that the schema does not carry
    elif validator.is_valid(json.loads(written)):
        accepted = validate_arguments(INPUTS, arguments)
        assert validate_arguments(INPUTS, json.loads(canonical_json(accepted))) == accepted
    else:
        problems(arguments)


@given(st.dictionaries(st.text(st.characters(codec=None)) | st.integers() | st.sampled_from(["channel"]), anything))
def test_any_arguments_are_accepted_or_refused_in_the_documented_way(arguments: dict[Any, Any]) -> None:
    try:
        canonical_json(validate_arguments(INPUTS, arguments))
    except Failure as failure:
        assert failure.details["problems"]  # noqa: PT017 -- both outcomes are fine, a third is not

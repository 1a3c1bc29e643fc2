"""What a connector answers is taken only in the agreed form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.connectors.answers import (
    MAX_MESSAGE,
    MAX_RESULT_CHARACTERS,
    MAX_RESULT_DEPTH,
    AnswerError,
    check_arguments,
    read_error,
    read_result,
    tidy_message,
)
from daemon.core.failures import FailureClass
from daemon.core.manifest import OpInput

SECRET = "sentinel-4711"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def scrub(text: str) -> str:
    return text.replace(SECRET, "[redacted]")


@given(JSON)
def test_a_json_result_comes_through_as_it_is(value: Any) -> None:
    try:
        assert read_result(json.dumps(value, ensure_ascii=False), scrub=scrub) == value
    except AnswerError:
        assert "\\ud" in json.dumps(value)


@given(st.text())
def test_any_other_text_is_an_answer_error(text: str) -> None:
    try:
        json.dumps(read_result(text, scrub=None), allow_nan=False)
    except AnswerError as error:
        assert str(error).startswith("its ")  # noqa: PT017


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nothing",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "[1,]",
        "9" * 5000,
        '"\\ud800"',
        '{"\\udc00": 1}',
        "[" * (MAX_RESULT_DEPTH + 2) + "]" * (MAX_RESULT_DEPTH + 2),
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 70 + "1" + "}" * 70,
    ],
)
def test_what_is_not_plain_json_is_refused(text: str) -> None:
    with pytest.raises(AnswerError):
        read_result(text, scrub=None)


def test_a_result_at_the_depth_limit_passes_and_wide_ones_do_too() -> None:
    deep = "[" * MAX_RESULT_DEPTH + "]" * MAX_RESULT_DEPTH
    assert read_result(deep, scrub=None) is not None
    assert len(read_result(json.dumps([[]] * 5000), scrub=None)) == 5000


def test_a_result_above_the_size_limit_is_refused() -> None:
    with pytest.raises(AnswerError, match="at most"):
        read_result('"' + "x" * MAX_RESULT_CHARACTERS + '"', scrub=None)


@pytest.mark.parametrize(
    "text",
    [
        f'{{"a": "x {SECRET} y"}}',
        f'{{"{SECRET}": ["{SECRET}"]}}',
        '["\\u0073entinel-4711"]',
        '["sentinel\\u002d4711", {"\\u0073entinel-4711": 1}]',
    ],
)
def test_a_secret_is_taken_out_of_a_result_however_it_was_escaped(text: str) -> None:
    assert SECRET in json.dumps(json.loads(text))
    assert SECRET not in json.dumps(read_result(text, scrub=scrub))


def error(**fields: Any) -> str:
    return json.dumps({"class": "external_api_error", "message": "Too many requests."} | fields)


def test_an_error_in_the_agreed_form_is_read() -> None:
    report = read_error(error(status=429, retriable=True, retry_after_ms=999.5))
    assert report.failure_class is FailureClass.EXTERNAL_API_ERROR
    assert (report.status, report.retriable, report.retry_after_ms) == (429, True, 1000)
    plain = read_error(error())
    assert (plain.status, plain.retriable, plain.retry_after_ms) == (None, False, None)
    assert read_error(error(status=None, retry_after_ms=None)) == plain


@pytest.mark.parametrize(
    "name", sorted(set(FailureClass) - {"external_api_error", "invalid_arguments", "connector_runtime_error"})
)
def test_a_connector_cannot_claim_a_class_that_is_not_its_own(name: str) -> None:
    with pytest.raises(AnswerError, match="class"):
        read_error(error(**{"class": name}))


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "[]",
        "{}",
        "null",
        '"text"',
        error(message=""),
        error(message=7),
        error(status="429"),
        error(status=99),
        error(status=600),
        error(status=True),
        error(retriable="yes"),
        error(retriable=1),
        error(retry_after_ms=-1),
        error(retry_after_ms="1"),
        error(retry_after_ms=True),
        error(retry_after_ms=1e300),
        error(surprise=1),
        error(**{"class": ["external_api_error"]}),
        error(message="x" * 70_000),
    ],
)
def test_an_error_out_of_form_is_refused(payload: str) -> None:
    with pytest.raises(AnswerError):
        read_error(payload)


def test_a_message_is_scrubbed_before_it_is_cut_and_shows_what_it_hides() -> None:
    text = "x" * (MAX_MESSAGE - 5) + SECRET
    tidy = tidy_message(text, scrub=scrub)
    assert "sent" not in tidy
    assert len(tidy) <= MAX_MESSAGE + 3
    assert "\x1b" not in tidy_message("\x1b[2Jgone\u202e", scrub=scrub)


INPUTS = {
    "channel": OpInput(type="string"),
    "count": OpInput(type="integer", required=False),
    "ratio": OpInput(type="number", required=False),
    "loud": OpInput(type="boolean", required=False),
    "tags": OpInput(type="array", required=False),
    "extra": OpInput(type="object", required=False),
}


def test_arguments_of_the_declared_types_fit() -> None:
    full = {"channel": "#eng", "count": 3, "ratio": 0.5, "loud": False, "tags": [1], "extra": {"a": 1}}
    assert check_arguments(INPUTS, full) == []
    assert check_arguments(INPUTS, {"channel": "", "ratio": 1}) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "'channel' is missing"),
        ({"channel": 7}, "'channel' has to be of the type string"),
        ({"channel": None}, "type string"),
        ({"channel": "", "count": 1.0}, "type integer"),
        ({"channel": "", "count": True}, "type integer"),
        ({"channel": "", "count": "1"}, "type integer"),
        ({"channel": "", "ratio": float("nan")}, "type number"),
        ({"channel": "", "ratio": True}, "type number"),
        ({"channel": "", "loud": 1}, "type boolean"),
        ({"channel": "", "tags": ()}, "type array"),
        ({"channel": "", "extra": None}, "type object"),
        ({"channel": "", "chanel": ""}, "'chanel' is not an input"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments: dict[str, Any], problem: str) -> None:
    (found,) = check_arguments(INPUTS, arguments)
    assert problem in found


def test_every_problem_is_named_at_once() -> None:
    assert len(check_arguments(INPUTS, {"count": "x", "other": 1})) == 3

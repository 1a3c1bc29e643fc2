"""Words of the command line become the types that the action declares, or a message that says what would."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.arguments import build_arguments, convert
from daemon.cli.failure import CliFailure, ExitCode

INPUTS: list[dict[str, Any]] = [
    {"name": "channel", "type": "string", "required": True},
    {"name": "count", "type": "integer", "required": False},
    {"name": "ratio", "type": "number", "required": False},
    {"name": "loud", "type": "boolean", "required": False},
]


def build(*words: str, args_json: str | None = None) -> dict[str, Any]:
    return build_arguments(words, args_json=args_json, inputs=INPUTS)


def test_each_word_takes_the_type_of_its_input() -> None:
    assert build("channel=#general", "count=3", "ratio=2.5", "loud=yes") == {
        "channel": "#general",
        "count": 3,
        "ratio": 2.5,
        "loud": True,
    }


def test_only_the_first_equals_sign_separates() -> None:
    assert build("channel=a=b=c") == {"channel": "a=b=c"}


def test_a_string_is_never_taken_for_something_else() -> None:
    assert build("channel=3") == {"channel": "3"}
    assert build("channel=@file") == {"channel": "@file"}
    assert build("channel=") == {"channel": ""}


def test_a_word_wins_over_the_json() -> None:
    assert build("count=2", args_json='{"count": 1, "channel": "x"}') == {"count": 2, "channel": "x"}


def test_json_can_come_from_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "args.json"
    file.write_text('{"count": 1}')
    assert build(args_json=f"@{file}") == {"count": 1}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"count": 2}'))
    assert build(args_json="-") == {"count": 2}


@pytest.mark.parametrize(
    ("words", "args_json", "part"),
    [
        (["channel"], None, "not key=value"),
        (["chanel=x"], None, "no input 'chanel'"),
        (["count=three"], None, "count='three'"),
        (["ratio=nan"], None, "ratio='nan'"),
        (["ratio=inf"], None, "ratio='inf'"),
        (["loud=maybe"], None, "loud='maybe'"),
        (["count=1", "count=2"], None, "twice"),
        ([], "[1]", "not an object"),
        ([], "{", "does not hold JSON"),
        ([], '{"ratio": NaN}', "NaN is not allowed"),
        ([], "@/nowhere/args.json", "cannot be read"),
        ([], "[" * 100_000, "does not hold JSON"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_failure(words: list[str], args_json: str | None, part: str) -> None:
    with pytest.raises(CliFailure, match=part) as raised:
        build_arguments(words, args_json=args_json, inputs=INPUTS)
    assert raised.value.exit_code == ExitCode.USAGE
    assert raised.value.remedy


def test_a_misspelt_input_names_the_nearest() -> None:
    with pytest.raises(CliFailure) as raised:
        build("chanel=x")
    assert "Did you mean channel?" in str(raised.value.remedy)


@given(st.text(), st.sampled_from(["string", "integer", "number", "boolean"]))
def test_any_text_converts_or_is_refused(text: str, type_name: str) -> None:
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
    }
    try:
        value = convert(text, type_name=type_name, name="x")
    except CliFailure:
        return
    assert isinstance(value, kinds[type_name])


@given(st.integers())
def test_an_integer_survives_as_it_is(number: int) -> None:
    assert convert(str(number), type_name="integer", name="x") == number

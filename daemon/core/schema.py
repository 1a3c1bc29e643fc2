"""Inputs of an action: the JSON Schema a model reads, and the check of what it sends."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import isfinite
from typing import Any

from daemon.core.action import Input
from daemon.core.canonical import MAX_SAFE_INTEGER
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.patterns import MAX_MATCHED_LENGTH, compile_pattern

MAX_STRING_LENGTH = 2**20
MAX_PROBLEMS = 50

_ARTICLES = {"string": "a string", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
_NARROWING = (
    ("pattern", "pattern"),
    ("min_length", "minLength"),
    ("max_length", "maxLength"),
    ("minimum", "minimum"),
    ("maximum", "maximum"),
)


def input_schema(inputs: Sequence[Input]) -> dict[str, Any]:
    """Write the inputs as a JSON Schema (2020-12) that allows nothing else."""
    return {
        "type": "object",
        "properties": {given.name: _property(given) for given in inputs},
        "required": [given.name for given in inputs if given.required],
        "additionalProperties": False,
    }


def validate_arguments(inputs: Sequence[Input], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with defaults filled in, in the order of the inputs; a Failure lists every problem."""
    problems: list[str] = []
    accepted: dict[str, Any] = {}
    known = [given.name for given in inputs]
    for given in inputs:
        if given.name in arguments:
            try:
                accepted[given.name] = check_value(given, arguments[given.name])
            except ValueError as error:
                problems.append(f"{given.name!r} {error}.")
        elif given.has_default:
            accepted[given.name] = given.default
        elif given.required:
            problems.append(f"{given.name!r} is missing; give {_ARTICLES[given.type]}.")
    unknown = [name for name in arguments if name not in known]
    problems += [_unknown(str(name), known) for name in unknown[:MAX_PROBLEMS]]
    if problems:
        raise _refusal(problems, unnamed=len(unknown[MAX_PROBLEMS:]))
    return accepted


def check_value(given: Input, value: Any) -> Any:
    """Return a value that fits an input, in its one form; a ValueError says what would be right."""
    value = _typed(given, value)
    if given.type == "string":
        _check_text(given, value)
    elif given.type in {"integer", "number"}:
        if given.minimum is not None and value < given.minimum:
            raise ValueError(f"must be at least {given.minimum}")
        if given.maximum is not None and value > given.maximum:
            raise ValueError(f"must be at most {given.maximum}")
    if given.enum is not None and value not in given.enum:
        choices = ", ".join(str(choice) if given.type != "string" else repr(choice) for choice in given.enum)
        raise ValueError(f"must be one of {choices}")
    return value


def _typed(given: Input, value: Any) -> Any:
    wrong = ValueError(f"must be {_ARTICLES[given.type]}, not {_kind(value)}")
    if given.type == "string":
        if not isinstance(value, str):
            raise wrong
        return value
    if given.type == "boolean":
        if not isinstance(value, bool):
            raise wrong
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("must be a finite number")
    if given.type == "integer" and isinstance(value, float):
        # JSON does not tell 3 from 3.0, and some clients send the latter.
        if not value.is_integer():
            raise ValueError("must be a whole number, without a fraction")
        value = int(value)
    # Beyond this a float is written as an integer that no reader, ours included, takes back.
    if abs(value) > MAX_SAFE_INTEGER:
        raise ValueError(f"must lie between -{MAX_SAFE_INTEGER} and {MAX_SAFE_INTEGER}, where JSON is exact")
    return value


def _check_text(given: Input, value: str) -> None:
    length = len(value)
    if given.min_length is not None and length < given.min_length:
        raise ValueError(f"must have at least {given.min_length} characters, and has {length}")
    if given.max_length is not None and length > given.max_length:
        raise ValueError(f"must have at most {given.max_length} characters, and has {length}")
    if length > MAX_STRING_LENGTH:
        raise ValueError(f"must have at most {MAX_STRING_LENGTH} characters, and has {length}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode text, without lone surrogates") from None
    if given.pattern is not None:
        if length > MAX_MATCHED_LENGTH:
            raise ValueError(f"must have at most {MAX_MATCHED_LENGTH} characters, because it has a pattern")
        if not compile_pattern(given.pattern).matches(value):
            raise ValueError(f"must match the pattern {given.pattern}")


def _property(given: Input) -> dict[str, Any]:
    written: dict[str, Any] = {"type": given.type}
    if given.description:
        written["description"] = given.description
    if given.enum is not None:
        written["enum"] = list(given.enum)
    for attribute, keyword in _NARROWING:
        if (value := getattr(given, attribute)) is not None:
            written[keyword] = value
    if given.has_default:
        written["default"] = given.default
    return written


def _kind(value: Any) -> str:
    if value is None:
        return "null; leave it out to give none"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list | tuple) else "an object"


def _unknown(name: str, known: Sequence[str]) -> str:
    shown = repr(name if len(name) <= 60 else f"{name[:60]}...")
    nearest = get_close_matches(name[:60], known, n=1)
    if nearest:
        return f"{shown} is unknown; did you mean {nearest[0]!r}?"
    if known:
        return f"{shown} is unknown; the inputs are {', '.join(map(repr, known))}."
    return f"{shown} is unknown; the action takes no inputs."


def _refusal(problems: list[str], *, unnamed: int) -> Failure:
    shown = problems[:MAX_PROBLEMS]
    if more := len(problems) - len(shown) + unnamed:
        shown.append(f"And {more} more.")
    return Failure(
        FailureClass.INVALID_ARGUMENTS,
        " ".join(shown),
        boundary=Boundary.ACTION,
        details={"problems": shown},
    )

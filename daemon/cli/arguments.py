"""Turns `key=value` words and JSON into the typed arguments that an action's inputs ask for."""

import json
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from daemon.cli.failure import CliFailure

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def build_arguments(
    words: Sequence[str], *, args_json: str | None, inputs: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Combine `--args-json` with `key=value` words; a word wins over the same key in the JSON."""
    arguments = {} if args_json is None else _read_json(args_json)
    declared = {str(item["name"]): item for item in inputs}
    given: set[str] = set()
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            raise CliFailure.usage(f"{word!r} is not key=value", remedy=_expected(declared))
        if name in given:
            raise CliFailure.usage(f"{name} is given twice", remedy="Give each argument once.")
        if name not in declared:
            raise CliFailure.usage(f"the action has no input {name!r}", remedy=_nearest(name, declared))
        given.add(name)
        arguments[name] = convert(text, type_name=str(declared[name]["type"]), name=name)
    return arguments


def convert(text: str, *, type_name: str, name: str) -> Any:
    """Read a word as the type that the input declares."""
    try:
        match type_name:
            case "integer":
                return int(text)
            case "number":
                return _number(text)
            case "boolean":
                return _boolean(text)
    except ValueError:
        raise CliFailure.usage(
            f"{name}={text!r} is not a value of type {type_name}", remedy=f"Write {_EXAMPLES[type_name]}."
        ) from None
    return text


_EXAMPLES = {"integer": "a whole number, like 3", "number": "a number, like 2.5", "boolean": "true or false"}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if number - number != 0:  # infinity and NaN are no JSON
            raise ValueError(text) from None
        return number


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)


def _read_json(source: str) -> dict[str, Any]:
    place = "--args-json"
    try:
        if source == "-":
            place, text = "stdin", sys.stdin.read()
        elif source.startswith("@"):
            place = source[1:]
            text = Path(place).read_text(encoding="utf-8")
        else:
            text = source
        value = json.loads(text, parse_constant=_refuse)
    except OSError as error:
        raise CliFailure.usage(
            f"{place} cannot be read: {error.strerror}", remedy="Pass a file after the @."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CliFailure.usage(f"{place} does not hold JSON: {error}", remedy=_JSON_FORM) from error
    if not isinstance(value, dict):
        raise CliFailure.usage(f"{place} holds JSON that is not an object", remedy=_JSON_FORM)
    return value


_JSON_FORM = 'Write an object, like {"channel": "#general"}.'


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not allowed")


def _nearest(name: str, declared: Mapping[str, Any]) -> str:
    matches = get_close_matches(name, declared, n=1)
    return f"Did you mean {matches[0]}? {_expected(declared)}" if matches else _expected(declared)


def _expected(declared: Mapping[str, Mapping[str, Any]]) -> str:
    if not declared:
        return "It takes no arguments."
    described = (
        f"{name}=<{item['type']}>" + ("" if item.get("required", True) else " (optional)")
        for name, item in declared.items()
    )
    return f"It takes: {', '.join(described)}"

"""Reading one [[inputs]] table of an action: its type, its narrowing, and whether the two fit."""

import re
from dataclasses import replace
from typing import Any, cast

from daemon.core.action import Input, InputType
from daemon.core.fields import Fields
from daemon.core.patterns import PatternError, compile_pattern
from daemon.core.schema import MAX_STRING_LENGTH, check_value

INPUT_TYPES = ("string", "integer", "number", "boolean")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FITTING = {
    "pattern": ("string",),
    "min_length": ("string",),
    "max_length": ("string",),
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "enum": ("string", "integer", "number"),
}


def parse_input(fields: Fields) -> Input:
    """Read one input; a default makes it optional."""
    name = fields.text("name", 'Write a lower-case name, like name = "channel".', pattern=_NAME)
    kind = fields.choice("type", INPUT_TYPES)
    for key, kinds in _FITTING.items():
        if key in fields and kind not in kinds:
            raise fields.wrong(
                key, f"{fields.label(key)} does not fit the type {kind}.", f"It narrows {' and '.join(kinds)} only."
            )
    has_default = "default" in fields
    required = fields.flag("required", default=not has_default)
    if has_default and required:
        raise fields.wrong(
            "required",
            f"The input {name!r} is required and has a default.",
            "Remove `required` or `default`; one with a default may be left out.",
        )
    bounds = _parse_bounds(fields, kind)
    given = Input(
        name=name,
        type=cast("InputType", kind),
        required=required,
        description=fields.prose("description"),
        pattern=_parse_pattern(fields),
        **bounds,
    )
    enum = _parse_enum(fields, given)
    default = _check(fields, "default", replace(given, enum=enum), fields.value("default")) if has_default else None
    return replace(given, enum=enum, default=default, has_default=has_default)


def _parse_bounds(fields: Fields, kind: str) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for key in ("min_length", "max_length"):
        bounds[key] = length = fields.whole_number(key, f"Write {key} = 10.")
        if length is not None and not 0 <= length <= MAX_STRING_LENGTH:
            raise fields.wrong(
                key, f"{fields.label(key)} is {length}.", f"Write a number from 0 to {MAX_STRING_LENGTH}."
            )
    for key in ("minimum", "maximum"):
        read = fields.whole_number if kind == "integer" else fields.number
        bounds[key] = read(key, f"Write a number of the input's type, like {key} = 10.")
    for low, high in (("min_length", "max_length"), ("minimum", "maximum")):
        if bounds[low] is not None and bounds[high] is not None and bounds[low] > bounds[high]:
            raise fields.wrong(
                low, f"{fields.label(low)} is larger than `{high}`, so nothing fits.", "Swap or change the two."
            )
    return bounds


def _parse_pattern(fields: Fields) -> str | None:
    remedy = 'Write a regular expression of JSON Schema, like pattern = "^#[a-z-]+$".'
    pattern = fields.optional_text("pattern", remedy)
    if pattern is not None:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            raise fields.wrong("pattern", f"{fields.label('pattern')} cannot be used: {error}.", remedy) from None
    return pattern


def _parse_enum(fields: Fields, given: Input) -> tuple[Any, ...] | None:
    if "enum" not in fields:
        return None
    remedy = 'List the values, like enum = ["low", "high"].'
    values = fields.values_of("enum", remedy)
    if not values:
        raise fields.wrong("enum", f"{fields.label('enum')} is empty, so nothing fits.", remedy)
    found: dict[Any, None] = {}
    for index, value in enumerate(values):
        try:
            item = check_value(given, value)
        except ValueError as error:
            raise fields.wrong_item("enum", index, str(error), remedy) from None
        if item in found:
            raise fields.wrong_item("enum", index, "is there again", "Name each one once.")
        found[item] = None
    return tuple(found)


def _check(fields: Fields, key: str, given: Input, value: Any) -> Any:
    try:
        return check_value(given, value)
    except ValueError as error:
        raise fields.wrong(
            key, f"{fields.label(key)} {error}.", "Make it a value that the input itself would accept."
        ) from None

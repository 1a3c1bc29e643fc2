"""Reading one [[inputs]] table of an action: its type, its narrowing, and whether the two fit."""

from dataclasses import replace
from typing import Any, cast

from daemon.core.action import Input, InputType
from daemon.core.fields import Fields
from daemon.core.patterns import PatternError, compile_pattern
from daemon.core.problems import Problems
from daemon.core.schema import MAX_STRING_LENGTH, check_value

INPUT_TYPES = ("string", "integer", "number", "boolean")

_FITTING = {
    "pattern": ("string",),
    "min_length": ("string",),
    "max_length": ("string",),
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "enum": ("string", "integer", "number"),
}


def parse_input(fields: Fields, name: str, problems: Problems) -> Input:
    """Read one input, whose name was read before; a default makes it optional.

    What is wrong is kept, and the input is read to its end as far as its type is known.
    """
    kind = fields.choice("type", INPUT_TYPES)
    unfit = [key for key, kinds in _FITTING.items() if key in fields and kind not in kinds]
    for key in unfit:
        said = f"{fields.label(key)} does not fit the type {kind}."
        problems.found.append(fields.wrong(key, said, f"It narrows {' and '.join(_FITTING[key])} only."))
    if unfit:
        return _plain(fields, name, kind)
    has_default = "default" in fields
    required = problems.keep(fields.flag, "required", default=not has_default)
    if has_default and required:
        problems.found.append(
            fields.wrong(
                "required",
                f"The input {name!r} is required and has a default.",
                "Remove `required` or `default`; one with a default may be left out.",
            )
        )
    description = problems.keep(fields.prose, "description") or ""
    pattern = problems.keep(_parse_pattern, fields)
    bounds = _parse_bounds(fields, kind, problems)
    given = Input(
        name=name,
        type=cast("InputType", kind),
        required=bool(required),
        description=description,
        pattern=pattern,
        **bounds,
    )
    enum = problems.keep(_parse_enum, fields, given)
    narrowed = replace(given, enum=enum)
    default = problems.keep(_check, fields, "default", narrowed, fields.value("default")) if has_default else None
    return replace(narrowed, default=default, has_default=has_default)


def _plain(fields: Fields, name: str, kind: str) -> Input:
    return Input(name=name, type=cast("InputType", kind), required="default" not in fields)


def _parse_bounds(fields: Fields, kind: str, problems: Problems) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for key in ("min_length", "max_length"):
        bounds[key] = problems.keep(_parse_length, fields, key)
    for key in ("minimum", "maximum"):
        read = fields.whole_number if kind == "integer" else fields.number
        bounds[key] = problems.keep(read, key, f"Write a number of the input's type, like {key} = 10.")
    for low, high in (("min_length", "max_length"), ("minimum", "maximum")):
        if bounds[low] is not None and bounds[high] is not None and bounds[low] > bounds[high]:
            said = f"{fields.label(low)} is larger than `{high}`, so nothing fits."
            problems.found.append(fields.wrong(low, said, "Swap or change the two."))
    return bounds


def _parse_length(fields: Fields, key: str) -> int | None:
    length = fields.whole_number(key, f"Write {key} = 10.")
    if length is not None and not 0 <= length <= MAX_STRING_LENGTH:
        raise fields.wrong(key, f"{fields.label(key)} is {length}.", f"Write a number from 0 to {MAX_STRING_LENGTH}.")
    return length


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

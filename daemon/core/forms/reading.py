"""Reads the form that a server asks to be filled in: the flat schema of the protocol, and nothing beyond it. Pure.

Every text in it is the server's, so there is a bound for each. A form that is beyond one is refused whole: a person
must see all of what they answer.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from daemon.core.forms.fields import Choice, Field, FieldKind, Format, is_number
from daemon.core.forms.form import Form

MOST_FIELDS = 32
MOST_CHOICES = 100
MOST_NAME = 100
MOST_WORDS = 1000
_MOST_SCHEMA = 32_768


class FormError(Exception):
    """A form that cannot be shown to a person; the message says why, for the server's author."""


def read_form(schema: Any) -> Form:
    """Return the form of a schema; raise FormError for one that no person could be shown."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or schema.get("type") != "object":
        raise FormError("requestedSchema must be an object with properties")
    if len(properties) > MOST_FIELDS:
        raise FormError(f"a form has at most {MOST_FIELDS} fields")
    try:
        if len(json.dumps(schema)) > _MOST_SCHEMA:
            raise FormError(f"a form has at most {_MOST_SCHEMA:,} characters")
    except RecursionError:
        raise FormError("a form is flat") from None
    required = schema.get("required") or []
    if not isinstance(required, list) or any(name not in properties for name in required):
        raise FormError("required must name properties of the form")
    return Form(tuple(_field(name, given, required=name in required) for name, given in properties.items()))


def _field(name: str, given: Any, *, required: bool) -> Field:
    if not 0 < len(name) <= MOST_NAME:
        raise FormError(f"the name of a field has 1 to {MOST_NAME} characters")
    if not isinstance(given, Mapping):
        raise FormError(f"the field {name!r} is no schema")
    field = _of_kind(name, given)
    field = replace(
        field,
        required=required,
        title=_words(given.get("title")),
        description=_words(given.get("description")),
    )
    default = given.get("default")
    # A default that the field itself would refuse is none.
    return field if default is None or field.problem_with(default) is not None else replace(field, default=default)


def _of_kind(name: str, given: Mapping[str, Any]) -> Field:
    match given.get("type"):
        case "string" if "enum" in given or "oneOf" in given:
            return Field(name=name, kind=FieldKind.ONE_OF, choices=_choices(name, given, "oneOf"))
        case "string":
            return _bounded(
                Field(name=name, kind=FieldKind.TEXT, format=_format(given)), given, "minLength", "maxLength"
            )
        case "number":
            return _bounded(Field(name=name, kind=FieldKind.NUMBER), given, "minimum", "maximum")
        case "integer":
            return _bounded(Field(name=name, kind=FieldKind.INTEGER), given, "minimum", "maximum")
        case "boolean":
            return Field(name=name, kind=FieldKind.YES_OR_NO)
        case "array":
            items = given.get("items")
            if not isinstance(items, Mapping):
                raise FormError(f"the list {name!r} does not say what it holds")
            field = Field(name=name, kind=FieldKind.SOME_OF, choices=_choices(name, items, "anyOf"))
            return _bounded(field, given, "minItems", "maxItems")
    raise FormError(f"the field {name!r} is of a type that a form does not have")


def _bounded(field: Field, given: Mapping[str, Any], least: str, most: str) -> Field:
    return replace(field, least=_bound(field.name, given.get(least)), most=_bound(field.name, given.get(most)))


def _bound(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not is_number(value):
        raise FormError(f"a bound of the field {name!r} is no number")
    bound: float = value
    return bound


def _format(given: Mapping[str, Any]) -> Format | None:
    # A format that we do not know is for the server to check.
    return next((each for each in Format if each.value == given.get("format")), None)


def _choices(name: str, given: Mapping[str, Any], titled: str) -> tuple[Choice, ...]:
    """Read choices in one of their three forms: with titles, as plain values, and as values with `enumNames`."""
    entries = given.get(titled)
    if isinstance(entries, list):
        pairs = [
            (each.get("const"), each.get("title")) if isinstance(each, Mapping) else (None, None) for each in entries
        ]
    else:
        values, names = given.get("enum"), given.get("enumNames")
        values = values if isinstance(values, list) else []
        pairs = [(value, _at(names, place)) for place, value in enumerate(values)]
    if not 0 < len(pairs) <= MOST_CHOICES or any(not isinstance(value, str) for value, _ in pairs):
        raise FormError(f"the field {name!r} offers 1 to {MOST_CHOICES} choices, each a text")
    if len({value for value, _ in pairs}) != len(pairs):
        raise FormError(f"the field {name!r} offers a choice twice")
    return tuple(Choice(_words(value), _words(title) or _words(value)) for value, title in pairs)


def _titled(entry: Any) -> tuple[Any, Any]:
    return (entry.get("const"), entry.get("title")) if isinstance(entry, Mapping) else (None, None)


def _at(names: Any, place: int) -> Any:
    return names[place] if isinstance(names, Sequence) and not isinstance(names, str) and place < len(names) else None


def _words(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    if len(value) > MOST_WORDS:
        raise FormError(f"a text of a form has at most {MOST_WORDS} characters")
    return value

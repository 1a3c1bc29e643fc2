"""One field of a form: what it takes, and why a value does not fit. Pure.

A value comes in one of two ways: as JSON, checked by `problem_with`, or as a person typed it, read by `typed`. Both end
in the same check, so no surface accepts what another one refuses.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

MOST_TEXT = 10_000
"""Characters of one value. No form of a server needs more from a person."""
_MOST_NUMBER = 100
_LARGEST = 2**53
"""Beyond it, many readers of JSON take whole numbers for others."""
_YES = frozenset({"yes", "y", "true", "on"})
_NO = frozenset({"no", "n", "false", "off"})
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class FieldKind(StrEnum):
    """What a field takes."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    YES_OR_NO = "yes_or_no"
    ONE_OF = "one_of"
    SOME_OF = "some_of"


class Format(StrEnum):
    """What a text has to be; the names are those of the protocol."""

    EMAIL = "email"
    URI = "uri"
    DATE = "date"
    DATE_TIME = "date-time"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a field offers, and what a person reads for it."""

    value: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `least` and `most` bound the length of a text, the size of a number, or the count of choices."""

    name: str
    kind: FieldKind
    title: str = ""
    description: str = ""
    required: bool = False
    default: Any = None
    choices: tuple[Choice, ...] = ()
    least: float | None = None
    most: float | None = None
    format: Format | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the field as the control API shows it."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "title": self.title,
            "description": self.description,
            "required": self.required,
            "default": self.default,
            "choices": [{"value": each.value, "title": each.title} for each in self.choices],
            "least": self.least,
            "most": self.most,
            "format": None if self.format is None else self.format.value,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Field":
        """Return the field that `as_json` was made of."""
        return cls(
            **{
                **given,
                "kind": FieldKind(given["kind"]),
                "choices": tuple(Choice(each["value"], each["title"]) for each in given["choices"]),
                "format": None if given["format"] is None else Format(given["format"]),
            }
        )

    def problem_with(self, value: Any) -> str | None:
        """Say why a value does not fit; None if it does."""
        match self.kind:
            case FieldKind.TEXT:
                return self._problem_with_text(value)
            case FieldKind.NUMBER | FieldKind.INTEGER:
                return self._problem_with_number(value)
            case FieldKind.YES_OR_NO:
                return None if isinstance(value, bool) else "it takes yes or no"
            case FieldKind.ONE_OF:
                return self._problem_with_choices([value])
            case FieldKind.SOME_OF:
                if not isinstance(value, list) or len(value) > len(self.choices):
                    return "it takes a list of its choices, each once"
                return self._problem_with_choices(value) or self._out_of_bounds(len(value), "choices")

    def typed(self, texts: Sequence[str]) -> Any:
        """Read what a person typed; None if they left it out. Raises ValueError with why it cannot be read."""
        given = [text for text in texts if text != ""]
        if not given:
            return None
        if self.kind is FieldKind.SOME_OF:
            return given
        if len(given) > 1:
            raise ValueError("it takes one value")
        text = given[0]
        match self.kind:
            case FieldKind.NUMBER | FieldKind.INTEGER:
                return _number(text.strip(), whole=self.kind is FieldKind.INTEGER)
            case FieldKind.YES_OR_NO:
                return _yes_or_no(text)
            case _:
                return text

    def _problem_with_text(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return "it takes a text"
        if len(value) > MOST_TEXT:
            return f"it takes at most {MOST_TEXT:,} characters"
        try:
            value.encode()
        except UnicodeEncodeError:
            return "it has characters that cannot be sent"
        wrong = self._out_of_bounds(len(value), "characters")
        if wrong is None and self.format is not None and not _HAS_FORMAT[self.format](value):
            return _FORMATS[self.format]
        return wrong

    def _problem_with_number(self, value: Any) -> str | None:
        whole = self.kind is FieldKind.INTEGER
        if not is_number(value):
            return "it takes a whole number" if whole else "it takes a number"
        if whole and value != int(value):
            return "it takes a whole number"
        return self._out_of_bounds(value, "")

    def _problem_with_choices(self, values: Sequence[Any]) -> str | None:
        known = [each.value for each in self.choices]
        if any(not isinstance(value, str) or value not in known for value in values):
            return "it takes one of its choices" if self.kind is FieldKind.ONE_OF else "it takes its choices only"
        return "each choice counts once" if len(set(values)) != len(values) else None

    def _out_of_bounds(self, size: float, what: str) -> str | None:
        if self.least is not None and size < self.least:
            return f"it takes at least {self.least:,g} {what}".rstrip()
        if self.most is not None and size > self.most:
            return f"it takes at most {self.most:,g} {what}".rstrip()
        return None


def is_number(value: Any) -> bool:
    """Say whether a value is a number that every program reads the same way."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _LARGEST if isinstance(value, int) else math.isfinite(value)


def _number(text: str, *, whole: bool) -> int | float:
    if len(text) > _MOST_NUMBER:
        raise ValueError("it takes a shorter number")
    if _INTEGER.fullmatch(text):
        return int(text)
    if whole:
        raise ValueError("it takes a whole number")
    try:
        return float(text)
    except ValueError:
        raise ValueError("it takes a number") from None


def _yes_or_no(text: str) -> bool:
    word = text.strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError("it takes yes or no")


def _is_uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and not any(map(str.isspace, text))


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _is_date_time(text: str) -> bool:
    try:
        return _DATE.match(text) is not None and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


_HAS_FORMAT = {
    Format.EMAIL: lambda text: _EMAIL.fullmatch(text) is not None,
    Format.URI: _is_uri,
    Format.DATE: _is_date,
    Format.DATE_TIME: _is_date_time,
}
_FORMATS: Mapping[Format, str] = {
    Format.EMAIL: "it takes an address like ada@example.com",
    Format.URI: "it takes an address like https://example.com/",
    Format.DATE: "it takes a date like 2026-11-26",
    Format.DATE_TIME: "it takes a date and time with its zone, like 2026-11-26T09:30:00Z",
}

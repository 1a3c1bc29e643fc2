"""Rules for the fields of a value that travels as JSON: each one checks what was sent, and describes itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol


class RuleError(ValueError):
    """A value breaks a rule; the message says what would be right, and goes behind the name of the field."""


class FieldRule(Protocol):
    """What one field may hold."""

    def read(self, value: object) -> Any:
        """Return the value as the field holds it; a RuleError says what would be right."""

    def schema(self) -> dict[str, Any]:
        """Return the same rule as a JSON Schema."""


@dataclass(frozen=True, slots=True)
class TextRule:
    """A text of bounded length."""

    max_length: int
    pattern: str | None = None
    """What the beginning must match."""

    def read(self, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise RuleError("must be a text")
        if len(value) > self.max_length:
            raise RuleError(f"must have at most {self.max_length} characters, and has {len(value)}")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RuleError("must be valid Unicode text, without lone surrogates") from None
        if self.pattern is not None and not re.match(self.pattern, value):
            raise RuleError(f"must match the pattern {self.pattern}")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the rule as a JSON Schema."""
        written: dict[str, Any] = {"type": "string", "maxLength": self.max_length}
        return written if self.pattern is None else written | {"pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class ChoiceRule:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: object) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.words:
            raise RuleError(f"must be one of {', '.join(self.words)}")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the rule as a JSON Schema."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class TextsRule:
    """A list of texts."""

    max_items: int
    each: TextRule

    def read(self, value: object) -> tuple[str, ...]:
        """Return the texts."""
        if not isinstance(value, list):
            raise RuleError("must be a list of texts")
        if len(value) > self.max_items:
            raise RuleError(f"must have at most {self.max_items} entries, and has {len(value)}")
        return tuple(_inside(f"number {place}", self.each, word) for place, word in enumerate(value, start=1))

    def schema(self) -> dict[str, Any]:
        """Return the rule as a JSON Schema."""
        return {"type": "array", "maxItems": self.max_items, "items": self.each.schema()}


@dataclass(frozen=True, slots=True)
class NamedTextsRule:
    """TextsRule with names of their own."""

    max_items: int
    each: TextRule

    def read(self, value: object) -> Mapping[str, str]:
        """Return the texts by name."""
        if not isinstance(value, dict):
            raise RuleError("must be an object of texts")
        if len(value) > self.max_items:
            raise RuleError(f"must have at most {self.max_items} entries, and has {len(value)}")
        # The value is not part of a message: it may be a secret.
        return {self.each.read(name): _inside(repr(name[:60]), self.each, text) for name, text in value.items()}

    def schema(self) -> dict[str, Any]:
        """Return the rule as a JSON Schema."""
        return {"type": "object", "maxProperties": self.max_items, "additionalProperties": self.each.schema()}


@dataclass(frozen=True, slots=True)
class NumberRule:
    """A number; true and false are none."""

    minimum: float
    maximum: float
    whole: bool = False
    above: bool = False
    """The minimum itself is too little."""

    def read(self, value: object) -> int | float:
        """Return the number."""
        kind = "a whole number" if self.whole else "a number"
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            raise RuleError(f"must be {kind}")
        too_little = value <= self.minimum if self.above else value < self.minimum
        if not isfinite(value) or too_little or value > self.maximum:
            least = f"above {self.minimum:g}" if self.above else f"from {self.minimum}"
            raise RuleError(f"must be {kind} {least} to {self.maximum}")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the rule as a JSON Schema."""
        least = "exclusiveMinimum" if self.above else "minimum"
        return {"type": "integer" if self.whole else "number", least: self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class FlagRule:
    """True or false."""

    def read(self, value: object) -> bool:
        """Return which."""
        if not isinstance(value, bool):
            raise RuleError("must be true or false")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the rule as a JSON Schema."""
        return {"type": "boolean"}


def _inside(place: str, rule: TextRule, value: object) -> str:
    try:
        return rule.read(value)
    except RuleError as problem:
        raise RuleError(f"{place} {problem}") from None

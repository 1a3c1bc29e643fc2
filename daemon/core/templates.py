"""Templates: values with ${...} places that are filled in from arguments and earlier results.

A placeholder alone keeps the type of its value. Inside text a value is written by the place it stands in: in a URL it
is encoded, in other text it stands as it is. JSON is a table here, never text: it is encoded once it is filled in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

from daemon.core.canonical import MAX_SAFE_INTEGER
from daemon.core.filling import Filling, Text
from daemon.core.json_templates import looks_like_json, refuse_json_text
from daemon.core.references import Reference, TemplateError, cut
from daemon.core.url_templates import check_url, looks_like_url

MAX_TEMPLATE_DEPTH = 32


@dataclass(frozen=True)
class Template:
    """A parsed value: literals, placeholders, texts with placeholders, and lists and tables of these."""

    node: Any

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Return every placeholder in the order of the file."""
        return tuple(_references(self.node))

    @property
    def only_reference(self) -> Reference | None:
        """Return the placeholder when the value is nothing but one."""
        return self.node if isinstance(self.node, Reference) else None

    @property
    def is_text(self) -> bool:
        """Say whether the value is text, with or without placeholders; one that is only a placeholder may be."""
        return isinstance(self.node, str | Text)

    @property
    def is_table_or_list(self) -> bool:
        """Say whether the value has parts of its own."""
        return isinstance(self.node, dict | list)

    def as_url(self) -> "Template":
        """Return the template of a value that is used as a URL; a TemplateError if the host could be filled in."""
        if not isinstance(self.node, Text) or self.node.is_url:
            return self
        check_url(self.node.parts)
        return Template(Text(self.node.parts, is_url=True))

    def as_json(self) -> "Template":
        """Return the template of a value that is used as JSON; a TemplateError if it is JSON built as text."""
        if isinstance(self.node, Text):
            refuse_json_text(self.node.parts)
        return self

    def render(self, args: Mapping[str, Any], steps: Mapping[str, Any]) -> Any:
        """Fill in the placeholders; what is missing or does not fit is a Failure that names the reference."""
        return Filling(args, steps).fill(self.node)

    def outline(self, args: Mapping[str, Any]) -> Any:
        """Fill in the arguments only: what waits for a step's result stays a Reference, or is Unfinished text."""
        return Filling(args, None).fill(self.node)


def parse_template(value: Any) -> Template:
    """Read a TOML value whose strings may hold placeholders; `$${` stands for a literal `${`."""
    return Template(_parse(value, MAX_TEMPLATE_DEPTH))


def _parse(value: Any, depth: int) -> Any:
    if depth == 0:
        raise TemplateError(f"The value is nested deeper than {MAX_TEMPLATE_DEPTH} levels; make it flatter.")
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise TemplateError(f"The number {value:.3e} is beyond 2^53 - 1; write it as a string.")
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise TemplateError("The number is not finite, and JSON has no such number; write a finite one.")
        return value
    if isinstance(value, list | tuple):
        return [_parse(item, depth - 1) for item in value]
    if isinstance(value, Mapping):
        return {key: _parse(item, depth - 1) for key, item in value.items()}
    raise TemplateError(f"A {type(value).__name__} has no JSON form; write it as a string.")


def _parse_text(text: str) -> str | Reference | Text:
    parts = cut(text)
    if len(parts) == 1:
        return parts[0]
    if looks_like_json(parts):
        refuse_json_text(parts)
    is_url = looks_like_url(parts)
    if is_url:
        check_url(parts)
    return Text(parts, is_url)


def _references(node: Any) -> Iterator[Reference]:
    if isinstance(node, Reference):
        yield node
    elif isinstance(node, Text):
        yield from (part for part in node.parts if isinstance(part, Reference))
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        for item in node.values():
            yield from _references(item)

"""Templates: values with ${...} places that are filled in from arguments and earlier results."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

from daemon.core.canonical import MAX_SAFE_INTEGER, CanonicalError, canonical_json
from daemon.core.failures import Boundary, Failure, FailureClass

ARGUMENTS = "args"
"""The root that stands for the action's own arguments; no step may be called this."""

MAX_TEMPLATE_DEPTH = 32
MAX_RENDERED_LENGTH = 4 * 2**20
"""A text may repeat a long argument many times over; what comes out has a bound."""

_TOKEN = re.compile(r"\$\$\{|\$\{")
_REFERENCE = re.compile(r"(?P<root>[a-z][a-z0-9_-]*)\.(?P<path>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)")


_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")


class TemplateError(ValueError):
    """A template is malformed; the message says where and what would be right."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What one placeholder points at: an argument, or a place in an earlier step's result."""

    root: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        """Write the placeholder as it stands in the file."""
        return f"${{{'.'.join((self.root, *self.path))}}}"


@dataclass(frozen=True, slots=True)
class _Text:
    """Text with at least one placeholder in it."""

    parts: tuple[str | Reference, ...]


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

    def render(self, args: Mapping[str, Any], steps: Mapping[str, Any]) -> Any:
        """Fill in the placeholders; what is missing or does not fit is a Failure that names the reference."""
        return _render(self.node, args, steps)


def parse_template(value: Any) -> Template:
    """Read a TOML value whose strings may hold placeholders; `$${` stands for a literal `${`."""
    return Template(_parse(value, MAX_TEMPLATE_DEPTH))


def render_inputs(
    templates: Mapping[str, Template], args: Mapping[str, Any], steps: Mapping[str, Any]
) -> dict[str, Any]:
    """Fill in named templates; one that is only an argument nobody gave is left out."""
    rendered: dict[str, Any] = {}
    for name, template in templates.items():
        reference = template.only_reference
        if reference is not None and reference.root == ARGUMENTS and reference.path[0] not in args:
            continue
        rendered[name] = template.render(args, steps)
    return rendered


def follow_path(value: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path of keys and list positions; raise LookupError when there is none."""
    for segment in path:
        if isinstance(value, Mapping):
            value = value[segment]
        elif isinstance(value, list | tuple) and _POSITION.fullmatch(segment):
            value = value[int(segment)]
        else:
            raise LookupError(segment)
    return value


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


def _parse_text(text: str) -> str | Reference | _Text:
    parts: list[str | Reference] = []
    literal = ""
    position = 0
    while (token := _TOKEN.search(text, position)) is not None:
        literal += text[position : token.start()]
        if token[0] == "$${":
            literal += "${"
            position = token.end()
            continue
        end = text.find("}", token.end())
        if end < 0:
            raise TemplateError("A placeholder is not closed; write it like ${args.name}, or $${ for a literal ${.")
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(_parse_reference(text[token.end() : end]))
        position = end + 1
    literal += text[position:]
    if not parts:
        return literal
    if literal:
        parts.append(literal)
    if len(parts) == 1 and isinstance(parts[0], Reference):
        return parts[0]
    return _Text(tuple(parts))


def _parse_reference(inner: str) -> Reference:
    match = _REFERENCE.fullmatch(inner)
    if match is None:
        shown = inner if len(inner) <= 60 else f"{inner[:60]}..."
        raise TemplateError(
            f"The placeholder ${{{shown}}} is malformed; write ${{args.<input>}} or ${{<step id>.<path>}}, "
            "or $${ for a literal ${."
        )
    return Reference(root=match["root"], path=tuple(match["path"].split(".")))


def _references(node: Any) -> Iterator[Reference]:
    if isinstance(node, Reference):
        yield node
    elif isinstance(node, _Text):
        yield from (part for part in node.parts if isinstance(part, Reference))
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        for item in node.values():
            yield from _references(item)


def _render(node: Any, args: Mapping[str, Any], steps: Mapping[str, Any]) -> Any:
    if isinstance(node, Reference):
        value = _look_up(node, args, steps)
        _require_json(node, value)
        return value
    if isinstance(node, _Text):
        return _render_text(node, args, steps)
    if isinstance(node, list):
        return [_render(item, args, steps) for item in node]
    if isinstance(node, dict):
        return {key: _render(item, args, steps) for key, item in node.items()}
    return node


def _render_text(text: _Text, args: Mapping[str, Any], steps: Mapping[str, Any]) -> str:
    pieces: list[str] = []
    length = 0
    for part in text.parts:
        piece = _written(part, _look_up(part, args, steps)) if isinstance(part, Reference) else part
        length += len(piece)
        if length > MAX_RENDERED_LENGTH:
            raise Failure(
                FailureClass.RESOURCE_LIMIT_EXCEEDED,
                f"A text of the action grew beyond {MAX_RENDERED_LENGTH} characters while it was filled in. "
                "Pass shorter arguments.",
                boundary=Boundary.ACTION,
            )
        pieces.append(piece)
    return "".join(pieces)


def _written(reference: Reference, value: Any) -> str:
    """Write a value inside text: strings as they are, numbers and booleans as JSON does."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        try:
            return canonical_json(value)
        except CanonicalError as error:
            raise _unfit(reference, "is a number that JSON cannot carry exactly") from error
    kind = "null" if value is None else "a list" if isinstance(value, list | tuple) else "an object"
    raise _unfit(reference, f"is {kind}, which cannot stand inside text; name a string, number or boolean in it")


def _look_up(reference: Reference, args: Mapping[str, Any], steps: Mapping[str, Any]) -> Any:
    try:
        if reference.root == ARGUMENTS:
            return follow_path(args, reference.path)
        return follow_path(steps[reference.root], reference.path)
    except LookupError:
        place = (
            "no such argument was given"
            if reference.root == ARGUMENTS
            else f"the result of the step {reference.root!r} holds no such value"
        )
        raise Failure(
            FailureClass.INVALID_ARGUMENTS,
            f"{reference} cannot be filled in: {place}.",
            boundary=Boundary.ACTION,
            details={"reference": str(reference)},
        ) from None


def _unfit(reference: Reference, problem: str) -> Failure:
    return Failure(
        FailureClass.INVALID_ARGUMENTS,
        f"{reference} cannot be filled in: the value {problem}.",
        boundary=Boundary.ACTION,
        details={"reference": str(reference)},
    )


def _require_json(reference: Reference, value: Any) -> None:
    try:
        canonical_json(value)
    except CanonicalError as error:
        raise _unfit(reference, f"is not plain JSON ({error})") from error

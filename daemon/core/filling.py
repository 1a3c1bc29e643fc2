"""Filling templates in: from arguments and earlier results at run, from arguments alone when a person is asked."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.core.canonical import CanonicalError, canonical_json
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.references import Parts, Reference, UnfitError
from daemon.core.url_templates import fill_url

MAX_RENDERED_LENGTH = 4 * 2**20
"""A text may repeat a long argument many times over; what comes out has a bound."""

_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Text:
    """Text with at least one placeholder in it, and how values are written in it."""

    parts: Parts
    is_url: bool


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Text in which some placeholders wait for the result of a step that has not run."""

    parts: Parts


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


class Filling:
    """Fills templates in, from arguments and from the results of steps; without results, their places stay open."""

    def __init__(self, args: Mapping[str, Any], steps: Mapping[str, Any] | None) -> None:
        self._args = args
        self._steps = steps

    def fill(self, node: Any) -> Any:
        """Return a node with its placeholders filled in."""
        if isinstance(node, Reference):
            if not self._knows(node):
                return node
            value = self._look_up(node)
            _require_json(node, value)
            return value
        if isinstance(node, Text):
            return self._fill_text(node)
        if isinstance(node, list):
            return [self.fill(item) for item in node]
        if isinstance(node, dict):
            return {key: self.fill(item) for key, item in node.items()}
        return node

    def _fill_text(self, text: Text) -> str | Unfinished:
        pieces = self._url_pieces(text.parts) if text.is_url else self._plain_pieces(text.parts)
        filled: list[str | Reference] = []
        length = 0
        for piece in pieces:
            length += len(piece) if isinstance(piece, str) else 0
            if length > MAX_RENDERED_LENGTH:
                raise Failure(
                    FailureClass.RESOURCE_LIMIT_EXCEEDED,
                    f"A text of the action grew beyond {MAX_RENDERED_LENGTH} characters while it was filled in. "
                    "Pass shorter arguments.",
                    boundary=Boundary.ACTION,
                )
            filled.append(piece)
        if any(isinstance(piece, Reference) for piece in filled):
            return Unfinished(tuple(filled))
        return "".join(map(str, filled))

    def _plain_pieces(self, parts: Parts) -> Iterator[str | Reference]:
        for part in parts:
            value = part if isinstance(part, str) else self._text_of(part)
            yield part if value is None else value

    def _url_pieces(self, parts: Parts) -> Iterator[str | Reference]:
        try:
            yield from fill_url(parts, self._text_of)
        except UnfitError as error:
            raise _unfit(error.reference, str(error)) from error

    def _text_of(self, reference: Reference) -> str | None:
        return _written(reference, self._look_up(reference)) if self._knows(reference) else None

    def _knows(self, reference: Reference) -> bool:
        return reference.is_argument or self._steps is not None

    def _look_up(self, reference: Reference) -> Any:
        source: Any = self._args if reference.is_argument else (self._steps or {}).get(reference.root)
        try:
            return follow_path(source, reference.path)
        except LookupError:
            place = (
                "no such argument was given"
                if reference.is_argument
                else f"the result of the step {reference.root!r} holds no such value"
            )
            raise Failure(
                FailureClass.INVALID_ARGUMENTS,
                f"{reference} cannot be filled in: {place}.",
                boundary=Boundary.ACTION,
                details={"reference": str(reference)},
            ) from None


def _written(reference: Reference, value: Any) -> str:
    """Write a value inside text: strings as they are, numbers and booleans as JSON does."""
    if isinstance(value, str):
        _require_json(reference, value)
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

"""Values that are partly known, written out for a person: text as it is, everything else as JSON on several lines."""

import json
from collections.abc import Iterator
from typing import Any

from daemon.core.filling import Unfinished
from daemon.core.references import Parts, Reference

_INDENT = "  "


def written_out(value: Any) -> Parts:
    """Return a value as text; what waits for the result of a step stays a Reference between the texts."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Unfinished):
        return value.parts
    return tuple(_joined(_json(value, "\n")))


def _json(value: Any, line: str) -> Iterator[str | Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Unfinished):
        yield '"'
        for part in value.parts:
            yield json.dumps(part, ensure_ascii=False)[1:-1] if isinstance(part, str) else part
        yield '"'
    elif isinstance(value, dict) and value:
        for index, (name, member) in enumerate(value.items()):
            yield ("{" if index == 0 else ",") + line + _INDENT + json.dumps(name, ensure_ascii=False) + ": "
            yield from _json(member, line + _INDENT)
        yield line + "}"
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield ("[" if index == 0 else ",") + line + _INDENT
            yield from _json(item, line + _INDENT)
        yield line + "]"
    else:
        yield json.dumps(value, ensure_ascii=False)


def _joined(pieces: Iterator[str | Reference]) -> Iterator[str | Reference]:
    text: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            text.append(piece)
            continue
        if text:
            yield "".join(text)
            text = []
        yield piece
    if text:
        yield "".join(text)

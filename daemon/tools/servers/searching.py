"""Finds tools by words, where there are too many to list. Pure."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from daemon.core.tools import ToolSpec

MOST_FOUND = 50
_WORD = re.compile(r"[^\W_]+")
_LONGEST = 300
_IN_NAME, _IN_TEXT = 3, 1


def search(specs: Sequence[ToolSpec], query: str, limit: int) -> list[dict[str, Any]]:
    """Return the tools that fit the words best; with no words the first ones in the list."""
    words = {word.lower() for word in _WORD.findall(query)}
    found = [(score, spec) for spec in specs if (score := _score(spec, words)) or not words]
    found.sort(key=lambda each: (-each[0], each[1].name))
    return [
        {"name": spec.name, "title": spec.title, "description": spec.description[:_LONGEST]}
        for _, spec in found[:limit]
    ]


def nearest(specs: Sequence[ToolSpec], name: str) -> str:
    """Return what to try instead of a name that no tool has."""
    near = get_close_matches(name[:60], [spec.name for spec in specs], n=3)
    return f"Did you mean {' or '.join(near)}?" if near else "Find it with search_tools."


def _score(spec: ToolSpec, words: set[str]) -> int:
    name = f"{spec.name} {spec.title}".lower()
    text = spec.description.lower()
    return sum(_IN_NAME * (word in name) + _IN_TEXT * (word in text) for word in words)

"""The definition of a tool as its server gives it, in one canonical text, and its digest. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from daemon.core.canonical import CanonicalError, canonical_json

KEYS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "_meta")
"""What is pinned, and all of it that agents are shown. Whatever else a server says of a tool is not passed on."""

MAX_SIZE = 256 * 1024
MAX_NAME = 512
_TEXTS = ("title", "description")
_OBJECTS = ("inputSchema", "outputSchema", "annotations", "_meta")


class UnusableDefinitionError(ValueError):
    """A definition cannot be taken; the message says why."""


@dataclass(frozen=True)
class Definition:
    """What a server says of one tool."""

    tool: str
    """The name that the server calls it by."""
    text: str
    """All that is pinned, as canonical JSON (RFC 8785)."""
    digest: str

    @cached_property
    def said(self) -> Mapping[str, Any]:
        """Return the definition as data."""
        said: Mapping[str, Any] = json.loads(self.text)
        return said

    @classmethod
    def stored(cls, text: str) -> "Definition":
        """Return the definition with this canonical text."""
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        return cls(str(json.loads(text)["name"]), text, digest)


def read_definition(said: Any) -> Definition:
    """Return what a server said as a definition. Raises UnusableDefinitionError."""
    name = said.get("name") if isinstance(said, Mapping) else None
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise UnusableDefinitionError(f"it has no name of 1 to {MAX_NAME} characters")
    # A key that says nothing is left out, so that it makes no difference whether a server writes `null`.
    kept = {key: said[key] for key in KEYS if said.get(key) is not None}
    for key in _TEXTS:
        if not isinstance(kept.get(key, ""), str):
            raise UnusableDefinitionError(f"its {key} is no text")
    for key in _OBJECTS:
        if not isinstance(kept.get(key, {}), Mapping):
            raise UnusableDefinitionError(f"its {key} is no object")
    if "inputSchema" not in kept:
        raise UnusableDefinitionError("it has no inputSchema")
    try:
        text = canonical_json(kept)
    except CanonicalError as problem:
        raise UnusableDefinitionError(f"{problem}".rstrip(".")) from problem
    if len(text) > MAX_SIZE:
        raise UnusableDefinitionError(f"it has {len(text)} characters, and may have {MAX_SIZE}")
    return Definition.stored(text)

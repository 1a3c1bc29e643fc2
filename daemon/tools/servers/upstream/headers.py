"""The headers in which the modern era repeats parts of a request: pure."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from daemon.tools.servers.upstream.seam import Message

VERSION = "MCP-Protocol-Version"
METHOD = "Mcp-Method"
NAME = "Mcp-Name"
_PARAMETER = "Mcp-Param-"
_ANNOTATION = "x-mcp-header"

_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_ENCODED = re.compile(r"=\?base64\?.*\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES = frozenset({"string", "integer", "boolean"})
_MOST_DIGITS = 4000

Path = tuple[str, ...]
Mirrored = Mapping[Path, str]
"""Which arguments are repeated in headers: the way to each through the properties, and the name of its header."""


def routing(version: str, method: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that every request of the modern era has."""
    headers = {VERSION: version, METHOD: method}
    named = params.get(_NAMED_BY.get(method, ""))
    if isinstance(named, str):
        headers[NAME] = encoded(named)
    return headers


def encoded(value: str) -> str:
    """Write a text so that it comes through a header unchanged."""
    if not value or (_PLAIN.fullmatch(value) and not _ENCODED.fullmatch(value)):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'replace')).decode('ascii')}?="


def parameters(mirrored: Mirrored, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that repeat arguments of a call; an argument that is missing has none."""
    headers = {}
    for path, name in mirrored.items():
        value: Any = arguments
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, bool):
            headers[_PARAMETER + name] = "true" if value else "false"
        elif isinstance(value, str):
            headers[_PARAMETER + name] = encoded(value)
        elif isinstance(value, float) or (isinstance(value, int) and value.bit_length() < 3 * _MOST_DIGITS):
            headers[_PARAMETER + name] = str(value)
    return headers


def mirrored_in(schema: Any) -> Mirrored | None:
    """Read which arguments a tool wants repeated. None if it says so in a way that the specification forbids.

    A client must leave such a tool out.
    """
    found: dict[Path, str] = {}
    names: set[str] = set()
    for path, place in _schemas(schema):
        if _ANNOTATION not in place:
            continue
        name = place[_ANNOTATION]
        kind = place.get("type")
        if not path or not isinstance(name, str) or not _TOKEN.fullmatch(name):
            return None
        if not isinstance(kind, str) or kind not in _TYPES or name.lower() in names:
            return None
        names.add(name.lower())
        found[path] = name
    return found


_ONE = frozenset(
    {
        *("items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames", "unevaluatedProperties"),
        *("not", "if", "then", "else", "contentSchema"),
    }
)
_SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions"})


def _schemas(root: Any) -> Iterator[tuple[Path | None, Message]]:
    """Give out every schema in a schema, with the way to it if that leads through properties only.

    Data such as `default` and `enum` is not entered, so that no text in it is taken for an annotation.
    """
    waiting: list[tuple[Path | None, Any]] = [((), root)]
    while waiting:
        path, place = waiting.pop()
        if not isinstance(place, dict):
            continue
        yield path, place
        for key, value in place.items():
            if key == "properties" and isinstance(value, dict):
                waiting += [((*path, name) if path is not None else None, each) for name, each in value.items()]
            elif key in _ONE:
                waiting.append((None, value))
            elif key in _SEVERAL and isinstance(value, list):
                waiting += [(None, each) for each in value]
            elif key in _NAMED and isinstance(value, dict):
                waiting += [(None, each) for each in value.values()]

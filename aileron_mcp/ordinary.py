"""Calls of tools that are written as nearly all of them are; any other line is left to the library. Pure."""

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from aileron_mcp.lines import is_finite

_METHOD = "tools/call"
_IN_LINE = b'"tools/call"'
_NAMES = {"jsonrpc", "id", "method", "params"}
_PARAMS = frozenset({"name", "arguments", "_meta"})
_TOKEN = "progressToken"  # noqa: S105 - it keeps no secret
_IDS = (int, str)
"""The types of an id: for the protocol, true and 1.0 are no numbers."""
_OF_THE_PROTOCOL = "io.modelcontextprotocol/"
"""What begins so in `_meta` means something to the library."""


@dataclass(slots=True)
class OrdinaryCall:
    """A request to call a tool."""

    id: int | str
    tool: str
    arguments: dict[str, Any]
    token: int | str | None
    """What progress is told with, if the agent wants to hear of it."""


def ordinary_call(line: bytes) -> OrdinaryCall | None:
    """Return the call that a line is; None if it is anything else, or has anything in it that calls rarely have."""
    if _IN_LINE not in line:
        return None
    try:
        message = from_json(line, allow_inf_nan=False)
    except ValueError:
        return None
    if type(message) is not dict or message.keys() != _NAMES or message["jsonrpc"] != "2.0":
        return None
    number, params = message["id"], message["params"]
    if message["method"] != _METHOD or type(number) not in _IDS or type(params) is not dict:
        return None
    tool, arguments, meta = params.get("name"), params.get("arguments", {}), params.get("_meta", {})
    if not params.keys() <= _PARAMS or type(tool) is not str or type(arguments) is not dict or type(meta) is not dict:
        return None
    token = meta.get(_TOKEN)
    if meta and (_means_something(meta) or (_TOKEN in meta and type(token) not in _IDS) or not is_finite(meta)):
        return None
    return OrdinaryCall(number, tool, arguments, token) if is_finite(arguments) else None


def _means_something(meta: dict[str, Any]) -> bool:
    return any(name.startswith(_OF_THE_PROTOCOL) for name in meta)

"""What a line from the agent is: a message, or the errors that answer what cannot be read as one. Pure.

The transport of the MCP library drops a line that it cannot read. Agents then wait for the answer until their own limit
is over, which `aileron launch` sets to an hour.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from pydantic import ValidationError

from aileron_mcp.outline import NO_ID, Outline, outline

LONGEST_LINE = 16 * 1024 * 1024
"""The daemon takes a request of 4 MiB; a line holds one, written less densely."""

_NOTHING_RAN = "Nothing was run."


@dataclass(frozen=True, slots=True)
class Refusal:
    """One error that is written to the agent instead of handing a line on."""

    code: int
    message: str
    id: bytes = NO_ID
    """As it stood in the request, so that the client finds it again."""

    def encoded(self) -> bytes:
        """Return the line to write."""
        error = json.dumps({"code": self.code, "message": f"{self.message} {_NOTHING_RAN}"}).encode()
        return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (self.id, error)


Read = types.JSONRPCMessage | tuple[Refusal, ...]
"""A message to hand on, or what to answer; nothing at all for what asks for no answer."""


def read_line(line: bytes) -> Read:
    """Read one line."""
    if not line.strip():
        return ()
    try:
        message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as problem:
        return _unreadable(line, problem)
    if isinstance(message, types.JSONRPCRequest) and not is_finite(message.params):
        return (_not_json("it holds a number that JSON does not have", outline(line)),)
    if isinstance(message, types.JSONRPCNotification) and "id" in (found := outline(line)).names:
        # The library takes a request whose id is 1.0, null or true for a notification, and would answer nothing.
        return (Refusal(types.INVALID_REQUEST, "The id of a request is a text or a whole number.", found.id),)
    return message


def too_long(kept: bytes) -> tuple[Refusal, ...]:
    """Answer a line of which only the beginning and the end were kept."""
    message = f"The line is longer than {LONGEST_LINE} bytes."
    return _if_asked(Refusal(types.INVALID_REQUEST, message), outline(kept))


def in_use(number: str | int) -> Refusal:
    """Answer a request whose id belongs to one that is still under way."""
    message = "A request with this id is still under way, so the answers could not be told apart."
    return Refusal(types.INVALID_REQUEST, message, json.dumps(number).encode())


def encode(message: types.JSONRPCMessage) -> bytes:
    """Return the line of a message; what no UTF-8 can hold becomes a question mark, so that the rest arrives."""
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except ValueError:
        value = message.model_dump(by_alias=True, exclude_unset=True)
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _unreadable(line: bytes, problem: ValidationError) -> tuple[Refusal, ...]:
    first = problem.errors(include_url=False, include_input=False)[0]
    broken = str(first.get("ctx", {}).get("error", "")) if first["type"] == "json_invalid" else ""
    if broken:
        found = outline(line)
        return _if_asked(_not_json(broken, found), found)
    if line.lstrip().startswith(b"["):
        return _batch(line)
    return _if_asked(Refusal(types.INVALID_REQUEST, "This is not a JSON-RPC request."), outline(line))


def _batch(line: bytes) -> tuple[Refusal, ...]:
    """Answer each request of a batch by itself, so that no client waits for one of them."""
    message = "Batches are not part of this protocol; write each request on a line of its own."
    parts = [json.dumps(part).encode() for part in json.loads(line) if isinstance(part, Mapping)]
    found = [item for item in map(outline, parts) if item.id != NO_ID and not item.is_answer]
    return tuple(Refusal(types.INVALID_REQUEST, message, item.id) for item in found) or (
        Refusal(types.INVALID_REQUEST, message),
    )


def _if_asked(refusal: Refusal, found: Outline) -> tuple[Refusal, ...]:
    if found.is_answer or found.is_notification:
        return ()
    return (Refusal(refusal.code, refusal.message, found.id),)


def _not_json(why: str, found: Outline) -> Refusal:
    return Refusal(types.PARSE_ERROR, f"The line is not JSON that can be read: {why}.", found.id)


def is_finite(value: Any) -> bool:
    """Say whether a value that was read as JSON holds only numbers that JSON has, which 1e999 is not."""
    # As deep as the library reads, which is 200.
    kind = type(value)
    for each in value.values() if kind is dict else value if kind is list else (value,):
        inner = type(each)
        if inner is float:
            if not math.isfinite(each):
                return False
        elif (inner is dict or inner is list) and not is_finite(each):
            return False
    return True

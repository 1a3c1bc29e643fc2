"""JSON-RPC messages as bytes, and back: pure."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from daemon.core.json_writing import json_writer
from daemon.tools.servers.upstream.seam import Message

PARSE_ERROR = -32700
METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
SESSION_NOT_FOUND = -32001

_write = json_writer(ascii_only=True)
_LARGE = 1 << 20
_MOST_VALUES = 250_000
_MOST_IN_BATCH = 1000
_LARGE_NUMBER = re.compile(rb"[0-9](?:[eE]\+?[0-9]{3}|[0-9]{199})")
"""What may be read as infinity, which no JSON can say again: it has an exponent of three digits, or 200 digits
and more before a shorter one. It may stand in a text, too."""

# Servers write the id in front of the result or behind it. Only these two places are looked at, because the text of a
# result may hold an id, too.
_ID_IN_FRONT = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*([0-9]{1,15})\s*,')
_ID_BEHIND = re.compile(rb',\s*"id"\s*:\s*([0-9]{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no message, and the request whose answer they seem to be."""

    what: str
    answers: int | None = None


def request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def notification(method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a notification."""
    return {"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {})


def answer(number: Any, result: Message) -> dict[str, Any]:
    """Return the answer to a request of the server's."""
    return {"jsonrpc": "2.0", "id": number, "result": result}


def refusal(number: Any, code: int, message: str) -> dict[str, Any]:
    """Return the error that answers a request of the server's."""
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


def encode(message: Mapping[str, Any]) -> bytes:
    """Write a message as one line without its end; raises ValueError for what JSON cannot hold."""
    return _write(message).encode("ascii")


def decode(data: bytes | bytearray) -> Sequence[Message] | Unreadable:
    """Read a message, or a batch of them, as versions of the protocol before 2025-06-18 had it."""
    if len(data) > _LARGE and _holds_too_many_values(data):
        return Unreadable("it wrote JSON with too many values", answered(data, data))
    try:
        value = from_json(bytes(data), allow_inf_nan=False)
    except ValueError:
        try:
            value = _mended(data)
        except (ValueError, RecursionError):
            return Unreadable("it wrote what is no JSON", answered(data, data))
    if _LARGE_NUMBER.search(data) and not _is_finite(value):
        return Unreadable("it wrote a number that is too large", answered(data, data))
    if isinstance(value, dict):
        return (value,)
    if isinstance(value, list) and 0 < len(value) <= _MOST_IN_BATCH and all(isinstance(each, dict) for each in value):
        return value
    return Unreadable("it wrote JSON that is no message")


def _holds_too_many_values(data: bytes | bytearray) -> bool:
    """Say whether reading it would take many times its size in memory: three bytes can make an object of sixty-four.

    Between two values there is a comma. Those in texts do not count; they are left out only if there are many at all.
    """
    if data.count(b",") <= _MOST_VALUES:
        return False
    plain = bytes(data).replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * _MOST_VALUES:  # a name and a text for each value
        return True
    return sum(outside.count(b",") for outside in plain.split(b'"')[::2]) > _MOST_VALUES


def answered(head: bytes | bytearray, tail: bytes | bytearray) -> int | None:
    """Say which request something seems to answer that cannot be read; both ends of it are looked at."""
    found = _ID_IN_FRONT.match(head) or _ID_BEHIND.search(tail[-200:])
    return int(found[1]) if found else None


def _mended(data: bytes | bytearray) -> Any:
    """Read JSON whose only fault are characters that no text can hold; they become question marks."""
    if not data.lstrip().startswith((b"{", b"[")):
        raise ValueError("this is no message")  # most of what is no JSON: said without a second look
    value = json.loads(data.decode("utf-8", "replace"), parse_constant=_no_number)
    return from_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _is_finite(value: Any) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(_is_finite, value.values()))
        case list():
            return all(map(_is_finite, value))
        case _:
            return True


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")

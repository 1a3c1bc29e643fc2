"""Finds the id of a request in a line that is not valid JSON, so that even such a request gets its answer. Pure."""

import json
import re
from dataclasses import dataclass

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^\s"{}\[\]:,]+|.', re.DOTALL)
_LAST_MEMBER = re.compile(
    rb',\s*"id"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\Z'
)
_SCANNED_BYTES = 1024 * 1024
_LAST_BYTES = 4096
_LONGEST_ID = 256
NO_ID = b"null"


@dataclass(frozen=True, slots=True)
class Outline:
    """The names of the outermost object, and its id as it is written there; `null` if it cannot be read."""

    names: frozenset[str]
    id: bytes = NO_ID

    @property
    def is_answer(self) -> bool:
        """Say whether this answers a request of ours: nothing may be answered to that."""
        return "method" not in self.names and not self.names.isdisjoint({"result", "error"})

    @property
    def is_notification(self) -> bool:
        """Say whether this asks for no answer."""
        return "method" in self.names and "id" not in self.names


def outline(line: bytes) -> Outline:
    """Read the names and the id of the outermost object.

    It looks for strings and brackets only, so it works where the values inside are broken or nested without end. A
    line of many MB is not read whole: some clients write the id first and some last, so both ends are looked at.
    """
    found = _scan(line[:_SCANNED_BYTES])
    if len(line) > _SCANNED_BYTES and found.id == NO_ID and (last := _LAST_MEMBER.search(line[-_LAST_BYTES:])):
        return Outline(found.names | {"id"}, _readable(last.group(1)))
    return found


def _scan(text: bytes) -> Outline:
    names: set[str] = set()
    number = NO_ID
    depth, name, is_name_next = 0, "", False
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in b"{[":
            depth += 1
            if depth == 1 and token == b"[":
                break  # not an object
            is_name_next = depth == 1
        elif token in b"}]":
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and token == b",":
            is_name_next = True
        elif depth == 1 and is_name_next and len(token) > 1:
            name, is_name_next = _name(token), False
            names.add(name)
        elif depth == 1 and name == "id" and token not in b": \t\r\n":
            number, name = _readable(token), ""
    return Outline(frozenset(names), number)


def _name(token: bytes) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return ""


def _readable(token: bytes) -> bytes:
    """Return the text of an id, if it is a string or a number of a sensible length."""
    try:
        value = json.loads(token) if len(token) <= _LONGEST_ID else None
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return NO_ID
    is_id = isinstance(value, str | int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN
    return token if is_id else NO_ID

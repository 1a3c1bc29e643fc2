"""Finds session tokens wherever they stand in a request, also in base64, hex or percent-encoding: pure.

A token must not reach a provider, because whoever has it can act as the session. Agents and their tools put the token,
which they take for their API key, into all kinds of headers, cookies and queries. So it is found by how it begins, and
not by the name of a header.
"""

import base64
import binascii
import contextlib
import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

_PREFIX = b"ailt_"
_TOKEN = re.compile(rb"ailt_[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_MOST_LAYERS = 3
_COOKIE_OF_PAGES = b"aileron_session="


def _marks() -> tuple[bytes, ...]:
    """Return what a token begins with, in the ways it may be written: plain, hex, base64 at each offset."""
    digits = binascii.hexlify(_PREFIX)
    marks = [_PREFIX, _COOKIE_OF_PAGES, digits, digits.upper()]
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + _PREFIX)
        core = encoded[-(-offset * 8 // 6) : (offset + len(_PREFIX)) * 8 // 6]
        marks += [core, core.translate(bytes.maketrans(b"+/", b"-_"))]
    return tuple(dict.fromkeys(marks))


_MARKS = _marks()


def holds_token(text: bytes) -> bool:
    """Say whether a token of ours may be in a text: plain, in base64 or in hex, and percent-encoded on top of that."""
    for _ in range(_MOST_LAYERS):
        for mark in _MARKS:
            if mark in text:
                return True
        if b"%" not in text:
            return False
        opened = unquote_to_bytes(text)
        if opened == text:
            return False
        text = opened
    return any(mark in text for mark in _MARKS)


def tokens_in(text: bytes) -> list[str]:
    """Return the tokens in the value of a credential, also if one is the user or the password of `Basic`."""
    found = _TOKEN.findall(unquote_to_bytes(text))
    scheme, _, payload = text.strip().partition(b" ")
    if scheme.lower() == b"basic":
        with contextlib.suppress(binascii.Error, ValueError):  # not base64, so no user and password
            found += _TOKEN.findall(base64.b64decode(payload.strip()))
    return [token.decode("ascii") for token in found]


def without_tokens(query: bytes) -> bytes:
    """Return a query without the parameters that hold a token."""
    if not holds_token(query):
        return query
    return b"&".join(part for part in query.split(b"&") if not holds_token(part))


def without_holders(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers without those that hold a token, in the name or in the value."""
    listed = list(headers)
    # Hardly any request holds a token, so all headers are searched at once first.
    if not holds_token(b"\n".join([part for pair in listed for part in pair])):
        return listed
    return [pair for pair in listed if not (holds_token(pair[0]) or holds_token(pair[1]))]


def shown(path: str) -> str:
    """Return a path for the log: as it is, unless it holds a token."""
    return "<a path with a token>" if holds_token(path.encode("latin-1", "replace")) else path

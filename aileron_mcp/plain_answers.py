"""Answers of the daemon as nearly all are: JSON with status 200, whole, in one piece. Pure.

Any other is left to the parser, and so is one of these that comes in two pieces.
"""

import re

_LENGTH, _TYPE = rb"content-length: ([1-9][0-9]{0,7})\r\n", rb"content-type: application/json\r\n"
_HEAD = re.compile(rb"HTTP/1\.1 200 OK\r\n(?:%b%b|%b%b)\r\n" % (_LENGTH, _TYPE, _TYPE, _LENGTH))
HEADERS = {"content-type": "application/json"}
"""Its headers beside the length."""


def plain_body(piece: bytes) -> bytes | None:
    """Return the body of the answer that a piece is; None if it is anything else, or not one whole answer."""
    head = _HEAD.match(piece)
    if head is None:
        return None
    body = piece[head.end() :]
    return body if len(body) == int(head[1] or head[2]) else None

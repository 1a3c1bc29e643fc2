"""The head of a request as bytes, and what the head of an answer says of its body: pure."""

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

_NO_BODY = frozenset({204, 304})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class HeadError(ValueError):
    """A head that a server would read in another way than it was meant."""


def request_head(
    method: str, path: bytes, host: bytes, headers: Iterable[tuple[bytes, bytes]], framing: bytes
) -> bytes:
    """Write the head of a request; `framing` is the line that says how long the body is, or empty."""
    lines = [b"%b %b HTTP/1.1\r\nhost: %b" % (method.encode("latin-1"), path, host)]
    lines += [b"%b: %b" % pair for pair in headers]
    if framing:
        lines.append(framing)
    head = b"\r\n".join(lines)
    # A line break in a value would begin another header. Callers should have refused it; this check is the last one.
    if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b"\0" in head:
        raise HeadError("a header holds a line break")
    return head + b"\r\n\r\n"


def framing(method: str, headers: Iterable[tuple[bytes, bytes]], body: bytes | None) -> bytes:
    """Return the line that frames a body that is given whole, or in pieces (None); empty if a header frames it."""
    if any(name == b"content-length" for name, _ in headers):
        return b""
    if body is None:
        return b"transfer-encoding: chunked"
    return b"content-length: %d" % len(body) if body or method in _WITH_BODY else b""


def has_no_body(method: str, status: int) -> bool:
    """Say whether an answer ends with its head, whatever its headers say."""
    return method == "HEAD" or status in _NO_BODY


def is_framed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Say whether an answer says itself where it ends; otherwise the end of the connection does."""
    return any(
        name == b"content-length" or (name == b"transfer-encoding" and value.lower().endswith(b"chunked"))
        for name, value in headers
    )


def is_plainly_framed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Say whether an answer uses no transfer coding other than chunks.

    Transfer codings belong to one hop and are not passed on. So a body that is also compressed by one (`gzip, chunked`)
    would reach the agent compressed, with no header that says so.
    """
    return all(value.strip().lower() == b"chunked" for name, value in headers if name == b"transfer-encoding")

"""Finds and undoes the coding of an answer's body, with a bound; a coding that cannot be read is refused. Pure."""

import zlib
from collections.abc import Iterable, Sequence

from daemon.connectors.http.records import ErrorCode

_GZIP = frozenset({"gzip", "x-gzip"})
_READABLE = _GZIP | {"deflate"}
_FRAMINGS = frozenset({"chunked", "identity"})
_PIECE = 1 << 18


class ExchangeFailed(Exception):
    """An exchange that gave no complete answer; temporary says whether the same again might."""

    def __init__(self, code: ErrorCode, message: str, *, status: int | None = None, temporary: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.temporary = temporary


def content_coding(headers: Iterable[tuple[str, str]], *, status: int) -> str | None:
    """Return the one coding of a body, or None.

    Raises ExchangeFailed for everything else that would have to be undone: several codings, repeated headers, a
    transfer coding other than chunks, the difference to another answer (226). What we cannot read we cannot scrub, so
    it must not reach the connector.
    """
    contents: list[str] = []
    framings: list[str] = []
    for name, value in headers:
        match name.lower():
            case "content-encoding":
                contents += _words(value)
            case "transfer-encoding":
                framings += _words(value)
            case "im":
                raise _unreadable("as a difference to another answer", status)
            case _:
                pass
    if status == 226:
        raise _unreadable("as a difference to another answer", status)
    if len(framings) > 1 or not set(framings) <= _FRAMINGS:
        raise _unreadable(f"for the transfer as {', '.join(framings)[:60]!r}", status)
    codings = [word for word in contents if word != "identity"]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _READABLE:
        raise _unreadable(f"as {', '.join(codings)[:60]!r}", status)
    return codings[0]


class Unpacking:
    """Undoes the coding of one body in steps, so that never much more than the bound is in memory."""

    def __init__(self, coding: str, body: bytes, *, limit: int) -> None:
        self._coding = coding
        self._limit = limit
        self._rest = body
        self._pieces: list[bytes] = []
        self._size = 0
        self._whole = not body
        # Some servers send deflate without the zlib frame.
        self._raw = coding == "deflate" and body[:1] != b"" and body[0] & 0x0F != 8
        self._stream = self._begin()

    def run(self, most: int | None = None) -> bool:
        """Unpack up to a number of bytes, or all; return whether the body is whole. Raises ExchangeFailed."""
        end = self._limit + 1 if most is None else min(most, self._limit + 1)
        while not self._whole and self._size < end:
            self._step(min(_PIECE, end - self._size))
        if self._size > self._limit:
            raise ExchangeFailed(ErrorCode.TOO_LARGE, f"its decoded answer is larger than {self._limit} bytes")
        return self._whole

    def body(self) -> bytes:
        """Return what was unpacked, once it is whole."""
        whole = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        return whole

    def _step(self, most: int) -> None:
        try:
            piece = self._stream.decompress(self._rest, most)
        except zlib.error as error:
            message = f"its answer is not the {self._coding} that it says it is"
            raise ExchangeFailed(ErrorCode.NETWORK, message) from error
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)
        if self._stream.eof:
            # A gzip body may be several members, one behind the other.
            self._rest = self._stream.unused_data if self._coding in _GZIP else b""
            self._whole = not self._rest
            self._stream = self._begin()
            return
        # With no input left, the stream may still hold output that did not fit; the next step gets it.
        self._rest = self._stream.unconsumed_tail
        if not piece and not self._rest:
            raise ExchangeFailed(ErrorCode.NETWORK, f"its {self._coding} answer ends in the middle")

    def _begin(self) -> "zlib._Decompress":
        return zlib.decompressobj(-zlib.MAX_WBITS if self._raw else zlib.MAX_WBITS | 32)


def _words(value: str) -> Sequence[str]:
    return [word for part in value.split(",") if (word := part.strip().lower())]


def _unreadable(how: str, status: int) -> ExchangeFailed:
    message = f"its answer is encoded {how}, which was not asked for and cannot be read here, so it is not passed on"
    return ExchangeFailed(ErrorCode.NETWORK, message, status=status)

"""One connection to the daemon, and the answers that come over it: as much of HTTP/1.1 as the daemon speaks.

The standard library's client brings the parser of e-mail and TLS along: half of what a short command takes.
"""

import socket
from collections.abc import Iterator, Mapping

_LONGEST_LINE = 65_536
_MOST_LINES = 200
_PIECE = 65_536
_WITHOUT_BODY = frozenset({204, 304})


class NoAnswerError(ConnectionError):
    """What came is not a whole answer of an HTTP server."""


class Connection:
    """A connection that is used for one request after the other."""

    def __init__(self, host: str, port: int, *, seconds: float) -> None:
        # The address stands in the discovery file as numbers; no name is looked up.
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            self.socket.settimeout(seconds)
            self.socket.connect((host, port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.socket.close()
            raise
        self._host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._file = self.socket.makefile("rb")

    def close(self) -> None:
        """Give it up."""
        self._file.close()
        self.socket.close()

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> "Incoming":
        """Send a request and read the head of its answer; raises OSError for everything that goes wrong."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None or method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body or b'')}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode("ascii") + (body or b""))
        while True:
            incoming = Incoming(self)
            if incoming.status >= 200:
                return incoming

    def line(self) -> str:
        """Return the next line of a head without its end."""
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise NoAnswerError("the head of the answer is not whole")
        return line.rstrip(b"\r\n").decode("latin-1")

    def some(self, most: int = _PIECE) -> bytes:
        """Return what is there, at least one byte; nothing at the end of the connection."""
        return self._file.read1(min(most, _PIECE))


class Incoming:
    """An answer of which the head was read. Its body is read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        version, _, rest = connection.line().partition(" ")
        status, _, self.reason = rest.partition(" ")
        if not version.startswith("HTTP/1.") or len(status) != 3 or not status.isdecimal():
            raise NoAnswerError("this is no HTTP server")
        self.status = int(status)
        headers: dict[str, str] = {}
        for _ in range(_MOST_LINES):
            line = connection.line()
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        else:
            raise NoAnswerError("the head of the answer is too long")
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length")
        if length is not None and not length.isdecimal():
            raise NoAnswerError("the length of the answer is no number")
        self._length = 0 if self.status in _WITHOUT_BODY else None if length is None else int(length)
        endless = not self._chunked and self._length is None
        self.will_close = version == "HTTP/1.0" or headers.get("connection", "").lower() == "close" or endless

    def pieces(self) -> Iterator[bytes]:
        """Return the body as it comes; raises OSError if it ends early."""
        if self._length is not None and not self._chunked:
            yield from self._exactly(self._length)
        elif self._chunked:
            while size := self._size():
                yield from self._exactly(size)
                self._connection.line()
            while self._connection.line():
                pass
        else:
            while piece := self._connection.some():
                yield piece

    def read(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.pieces())

    def _size(self) -> int:
        text = self._connection.line().partition(";")[0].strip()
        try:
            return int(text, 16)
        except ValueError:
            raise NoAnswerError("a piece of the answer has no size") from None

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length > 0:
            piece = self._connection.some(length)
            if not piece:
                raise NoAnswerError("the answer ended early")
            length -= len(piece)
            yield piece

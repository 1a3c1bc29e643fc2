"""A model provider that answers exactly the bytes it is told to, and keeps the bytes it got, without any library."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

Answer = Callable[[socket.socket, bytes], None]


class RawProvider:
    """Listens on a port; each connection carries one request."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=600)
        self.requests: list[bytes] = []
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # it may have been closed by the test
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(30)
            try:
                request = read_request(connection)
                self.requests.append(request)
                self._answer(connection, request)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass
        self.closed.set()


def read_request(connection: socket.socket) -> bytes:
    """Read one request whole, by its length or to its last chunk."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = connection.recv(65536)
        if not piece:
            return raw
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
    elif b"\r\ncontent-length: " in lower:
        length = int(lower.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def plain(status: str = "200 OK", body: bytes = b"{}", *headers: bytes) -> Answer:
    """Answer with a body of known length, and say that the connection ends then."""

    def answer(connection: socket.socket, _: bytes) -> None:
        length = b"Content-Length: " + str(len(body)).encode()
        lines = [f"HTTP/1.1 {status}".encode(), *headers, length, b"Connection: close"]
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    return answer


def stream(pieces: list[bytes], *, seconds: float = 0.0, cut: bool = False) -> Answer:
    """Answer with chunks, some time apart, and cut the connection instead of ending, if told to."""

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            time.sleep(seconds)
        if not cut:
            connection.sendall(b"0\r\n\r\n")

    return answer

"""The connection to the daemon that lives as long as the sandbox: it says when to go on, and its end is the end."""

import json
import socket
import ssl

_SECONDS = 30.0


class LostError(Exception):
    """The daemon refused, or went away."""


class Lifeline:
    """HTTP/1.1 by hand, because importing a client takes longer than all of this."""

    def __init__(self, host: str, address: str, port: int, token: str, ca_file: str) -> None:
        self._host = host
        self._address = address
        self._port = port
        self._token = token
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(cafile=ca_file)
        self._words: list[str] = []
        self._rest = b""
        self._line: ssl.SSLSocket | None = None

    def open(self) -> None:
        """Begin to listen to the daemon."""
        self._line = self._send("GET", "/v1/sandbox/lifeline", b"")
        self._rest = self._head(self._line)

    def wait_for(self, word: str) -> None:
        """Wait until the daemon says this word."""
        while word not in self._words:
            self._read()

    def wait_for_the_end(self) -> None:
        """Wait until the daemon lets go."""
        if self._line is not None:
            self._line.settimeout(None)
        try:
            while True:
                self._read()
        except (LostError, OSError):
            return

    def report(self, report: dict) -> None:
        """Tell the daemon what the probe found."""
        with self._send("POST", "/v1/sandbox/report", json.dumps(report).encode()) as connection:
            self._head(connection)

    def _send(self, method: str, path: str, body: bytes) -> ssl.SSLSocket:
        plain = socket.create_connection((self._address, self._port), timeout=_SECONDS)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = self._context.wrap_socket(plain, server_hostname=self._host)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        return connection

    def _head(self, connection: ssl.SSLSocket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece:
                raise LostError("the daemon closed the connection")
            received += piece
        head, _, rest = received.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1]
        if status not in (b"200", b"204"):
            raise LostError(f"the daemon answered {status.decode()}: {rest.decode(errors='replace')[:500]}")
        return rest

    def _read(self) -> None:
        if self._line is None:
            raise LostError("there is no connection to the daemon")
        # Chunks hold whole lines, so words can be picked out without unpacking them.
        *lines, self._rest = self._rest.split(b"\n")
        self._words += [line.strip().decode("ascii", "replace") for line in lines]
        if lines:
            return
        piece = self._line.recv(4096)
        if not piece:
            raise LostError("the daemon let go")
        self._rest += piece

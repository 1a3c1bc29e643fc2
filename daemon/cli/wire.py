"""Plain HTTP to one address of this machine, with the standard library alone.

Every command waits for what it imports: a client library with its defaults is 65 ms, this is 15 (docs/performance.md).
It follows no redirect, knows no proxy and no TLS, and never asks twice: the master token goes to that address only.
"""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from daemon.cli.failure import CliFailure, ExitCode

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 120.0
_PIECE = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read to its end."""

    status: int
    reason: str
    content: bytes


class Wire:
    """Sends requests; connections stay open between them, and each is used by one thread at a time."""

    def __init__(self, *, url: str, token: str) -> None:
        place = urlsplit(url)
        self._host = place.hostname or ""
        self._port = place.port
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._idle: list[HTTPConnection] = []
        self._guard = threading.Lock()

    def close(self) -> None:
        """Give up the connections."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def ask(
        self, method: str, target: str, *, body: bytes | None = None, kind: str = "application/json", patient: bool
    ) -> Answer:
        """Send one request and read its answer; a patient one waits for as long as it takes."""
        connection, answer = self._send(method, target, body, kind, patient=patient)
        try:
            with _translated():
                content = answer.read()
        except BaseException:
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        else:
            with self._guard:
                self._idle.append(connection)
        return Answer(answer.status, answer.reason, content)

    @contextmanager
    def stream(
        self, method: str, target: str, *, body: bytes | None = None
    ) -> Iterator[tuple[HTTPResponse, Iterator[bytes]]]:
        """Send one request and hand out its answer with the pieces of its body as they come."""
        connection, answer = self._send(method, target, body, "application/json", patient=True)
        try:
            yield answer, _pieces(answer)
        finally:
            connection.close()

    def _send(
        self, method: str, target: str, body: bytes | None, kind: str, *, patient: bool
    ) -> tuple[HTTPConnection, HTTPResponse]:
        connection = self._connected()
        headers = self._headers if body is None else self._headers | {"Content-Type": kind}
        try:
            with _translated():
                if connection.sock is not None:
                    connection.sock.settimeout(None if patient else ANSWER_SECONDS)
                connection.request(method, target, body=body, headers=headers)
                return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def _connected(self) -> HTTPConnection:
        with self._guard:
            while self._idle:
                connection = self._idle.pop()
                # What can be read before anything was asked is the end of the connection.
                if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                    return connection
                connection.close()
        connection = HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise CliFailure(
                "the daemon does not answer at the address in its discovery file",
                exit_code=ExitCode.UNREACHABLE,
                remedy="See `aileron doctor`, or run: aileron daemon start",
            ) from error
        return connection


def _pieces(answer: HTTPResponse) -> Iterator[bytes]:
    with _translated():
        while piece := answer.read1(_PIECE):
            yield piece


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what a connection raises into what a person can act on."""
    try:
        yield
    except TimeoutError as error:
        raise CliFailure(
            "the daemon took too long to answer; what was asked may still be going on",
            exit_code=ExitCode.UNREACHABLE,
            remedy="See `aileron status`.",
        ) from error
    except (HTTPException, OSError) as error:
        raise BrokenError from error


class BrokenError(CliFailure):
    """The connection ended before the answer did."""

    def __init__(self) -> None:
        super().__init__(
            "the connection to the daemon broke before the answer was complete",
            exit_code=ExitCode.UNREACHABLE,
            remedy="See `aileron status` and `aileron audit list`.",
        )

"""Plain HTTP to one address of this machine.

Every command waits for what it imports: a client library with its defaults is 65 ms (docs/performance.md).
It follows no redirect, knows no proxy and no TLS, and never asks twice: the master token goes to that address only.
"""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.http_answer import Connection, Incoming

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 120.0


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
        self._port = place.port or 80
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._idle: list[Connection] = []
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
    ) -> Iterator[tuple[Incoming, Iterator[bytes]]]:
        """Send one request and hand out its answer with the pieces of its body as they come."""
        connection, answer = self._send(method, target, body, "application/json", patient=True)
        try:
            yield answer, _pieces(answer)
        finally:
            connection.close()

    def _send(
        self, method: str, target: str, body: bytes | None, kind: str, *, patient: bool
    ) -> tuple[Connection, Incoming]:
        connection = self._connected()
        headers = self._headers if body is None else self._headers | {"Content-Type": kind}
        try:
            with _translated():
                connection.socket.settimeout(None if patient else ANSWER_SECONDS)
                return connection, connection.request(method, target, headers, body)
        except BaseException:
            connection.close()
            raise

    def _connected(self) -> Connection:
        with self._guard:
            while self._idle:
                connection = self._idle.pop()
                # What can be read before anything was asked is the end of the connection.
                if not select.select([connection.socket], [], [], 0)[0]:
                    return connection
                connection.close()
        try:
            return Connection(self._host, self._port, seconds=CONNECT_SECONDS)
        except OSError as error:
            raise CliFailure(
                "the daemon does not answer at the address in its discovery file",
                exit_code=ExitCode.UNREACHABLE,
                remedy="See `aileron doctor`, or run: aileron daemon start",
            ) from error


def _pieces(answer: Incoming) -> Iterator[bytes]:
    with _translated():
        yield from answer.pieces()


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
    except OSError as error:
        raise BrokenError from error


class BrokenError(CliFailure):
    """The connection ended before the answer did."""

    def __init__(self) -> None:
        super().__init__(
            "the connection to the daemon broke before the answer was complete",
            exit_code=ExitCode.UNREACHABLE,
            remedy="See `aileron status` and `aileron audit list`.",
        )

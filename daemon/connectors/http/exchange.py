"""One request and its whole answer over a pooled connection: bounded, decoded, with a definite word on what left."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from daemon.connectors.http.answer_memory import SMALL_BYTES, HeldMemory
from daemon.connectors.http.codings import ExchangeFailed, Unpacking, content_coding
from daemon.connectors.http.departure import Departure
from daemon.connectors.http.records import ErrorCode
from daemon.connectors.http.workers import BodyWorkers
from daemon.net.dialling import AddressRefused
from daemon.net.http1.connection import Connection
from daemon.net.http1.errors import Forbidden, Untrusted, UpstreamError
from daemon.net.http1.head import HeadError
from daemon.net.http1.pool import Pool

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection"}
)
# A body up to this size leaves together with its head; joining a larger one would copy it.
_ONE_PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """A complete answer: its headers without those of the connection, its body without its content coding."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Exchanger:
    """Carries single requests over the connections of one pool.

    Nothing is sent again here: whether a repetition is safe is said by the manifest, and every attempt is on record.
    """

    pool: Pool
    workers: BodyWorkers
    user_agent: str
    max_response_bytes: int

    async def send(self, departure: Departure, *, seconds: float, memory: HeldMemory) -> ServiceAnswer:
        """Send one request and read its answer into the memory of the call; raise AddressRefused or ExchangeFailed."""
        connection: Connection | None = None
        answered = False
        try:
            async with asyncio.timeout(seconds):
                connection = await self.pool.take(departure.target.origin)
                self._leave(departure, connection)
                await connection.head()
                answered = True
                answer = await self._read(connection, departure.method, memory)
            connection.release()
            return answer
        except BaseException as error:
            status = connection.status if connection is not None and answered else None
            if connection is not None:
                connection.abort()
            failed = _as_failed(error, status)
            if failed is None:
                raise
            raise failed from error

    def _leave(self, departure: Departure, connection: Connection) -> None:
        """Send the request; from the moment that its head is written, it counts as one that may have left."""
        head = departure.head(user_agent=self.user_agent)
        body = departure.body or b""
        departure.may_have_left = True
        if len(body) <= _ONE_PIECE_BYTES:
            connection.begin(departure.method, head + body)
        else:
            connection.begin(departure.method, head)
            connection.write(body)

    async def _read(self, connection: Connection, method: str, memory: HeldMemory) -> ServiceAnswer:
        status = connection.status
        raw = [(_text(name), _text(value)) for name, value in connection.spelled]
        coding = content_coding(raw, status=status)
        body = await self._receive(connection, method, memory)
        if coding and body:
            body = await self._unpack(coding, body, memory)
        if len(body) > self.max_response_bytes:
            raise self._too_large(status)
        memory.shrink_to(len(body))
        headers = _end_to_end(raw)
        if coding and method != "HEAD":
            # They describe bytes that the connector does not get.
            headers = [pair for pair in headers if pair[0].lower() not in {"content-encoding", "content-length"}]
        return ServiceAnswer(status, tuple(headers), body)

    async def _receive(self, connection: Connection, method: str, memory: HeldMemory) -> bytes:
        """Read the body as it comes over the wire; a large one waits for memory, and so the service waits, too."""
        limit = self.max_response_bytes
        declared = 0 if method == "HEAD" else _declared_length(connection)
        if declared > limit:
            raise self._too_large(connection.status)
        await memory.hold(declared)
        body, whole = await connection.read()
        if whole:
            return body
        pieces, size = [body], len(body)
        while not whole:
            if size > SMALL_BYTES:
                await memory.hold(declared or limit)
            piece, whole = await connection.read()
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise self._too_large(connection.status)
        return b"".join(pieces)

    async def _unpack(self, coding: str, body: bytes, memory: HeldMemory) -> bytes:
        """Undo the content coding: the first bytes here, and the rest on a thread, once there is memory for it."""
        unpacking = Unpacking(coding, body, limit=self.max_response_bytes)
        del body
        if not unpacking.run(SMALL_BYTES):
            await memory.hold(self.max_response_bytes)
            await self.workers.run(unpacking.run, size=self.max_response_bytes)
        return unpacking.body()

    def _too_large(self, status: int) -> ExchangeFailed:
        return ExchangeFailed(
            ErrorCode.TOO_LARGE, f"its answer is larger than {self.max_response_bytes} bytes", status=status
        )


def _as_failed(error: BaseException, status: int | None) -> Exception | None:
    """Return what an error of the connection means for the request; None for an error that is not one of these."""
    match error:
        case TimeoutError():
            return ExchangeFailed(ErrorCode.TIMEOUT, "no answer in time", status=status, temporary=True)
        case Forbidden():
            return AddressRefused(str(error))
        case Untrusted():
            return ExchangeFailed(ErrorCode.NETWORK, _reason(error))
        case UpstreamError() | HeadError():
            return ExchangeFailed(ErrorCode.NETWORK, _reason(error), status=status, temporary=True)
        case _:
            return None


def _end_to_end(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    named = {
        word.strip().lower() for name, value in headers if name.lower() == "connection" for word in value.split(",")
    }
    return [pair for pair in headers if pair[0].lower() not in _HOP_BY_HOP and pair[0].lower() not in named]


def _declared_length(connection: Connection) -> int:
    return next((int(value) for name, value in connection.headers if name == b"content-length"), 0)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _reason(error: BaseException) -> str:
    return str(error).removesuffix(".") or type(error).__name__

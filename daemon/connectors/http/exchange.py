"""One request and its whole answer over the shared session: bounded, decoded, with a definite word on what left."""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from daemon.connectors.http.answer_memory import SMALL_BYTES, HeldMemory
from daemon.connectors.http.codings import ExchangeFailed, Unpacking, content_coding
from daemon.connectors.http.departure import DEPARTURE, Departure
from daemon.connectors.http.records import ErrorCode
from daemon.connectors.http.workers import BodyWorkers

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection"}
)
# Above this size the client library warns about bytes, and sends a file-like body in pieces instead.
_WHOLE_BODY_BYTES = 1 << 20

OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that the client library must not add by itself."""
_ACCEPT_ENCODING = ("Accept-Encoding", "gzip, deflate")


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """A complete answer: its headers without those of the connection, its body without its content coding."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Interrupted(Exception):
    """The connection ended before the answer was complete."""


async def refuse_hidden_retry(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep the client library from sending a request again by itself when a kept connection had ended.

    The library does so for every method that it takes for idempotent. Whether a repetition is safe is said by the
    manifest and not by the method, and every attempt must be on record.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Interrupted(_reason(error)) from error


@dataclass(frozen=True, slots=True)
class Exchanger:
    """Carries single requests over one session."""

    session: aiohttp.ClientSession
    workers: BodyWorkers
    user_agent: str
    max_response_bytes: int
    connect_timeout: aiohttp.ClientTimeout

    async def send(
        self,
        departure: Departure,
        *,
        method: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes | None,
        seconds: float,
        memory: HeldMemory,
    ) -> ServiceAnswer:
        """Send one request and read its answer into the memory of the call; raise AddressRefused or ExchangeFailed."""
        token = DEPARTURE.set(departure)
        status: int | None = None
        try:
            async with asyncio.timeout(seconds):
                response = await self.session.request(
                    method,
                    URL(departure.target.url, encoded=True),
                    headers=self._headers(headers),
                    data=io.BytesIO(body) if body is not None and len(body) > _WHOLE_BODY_BYTES else body,
                    allow_redirects=False,
                    timeout=self.connect_timeout,
                )
                status = response.status
                try:
                    return await self._read(response, method, departure, memory)
                except BaseException:
                    response.close()
                    raise
        except TimeoutError as error:
            code = ErrorCode.NETWORK if isinstance(error, aiohttp.ConnectionTimeoutError) else ErrorCode.TIMEOUT
            raise ExchangeFailed(code, "no answer in time", status=status, temporary=True) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise ExchangeFailed(ErrorCode.NETWORK, f"its certificate is not trusted: {_reason(error)}") from error
        except (aiohttp.ClientError, Interrupted, OSError, ValueError, RuntimeError) as error:
            # The library speaks of a closed session or loop, and of a URL it refuses, in built-in exceptions.
            raise ExchangeFailed(ErrorCode.NETWORK, _reason(error), status=status, temporary=True) from error
        finally:
            DEPARTURE.reset(token)

    def _headers(self, headers: tuple[tuple[str, str], ...]) -> CIMultiDict[str]:
        given: CIMultiDict[str] = CIMultiDict()
        spelled: dict[str, str] = {}
        for name, value in headers:
            # The session keeps repeated headers only if they are spelled the same.
            given.add(spelled.setdefault(name.lower(), name), value)
        if "accept-encoding" not in spelled:
            given.add(*_ACCEPT_ENCODING)
        if "user-agent" not in spelled:
            given.add("User-Agent", self.user_agent)
        return given

    async def _read(
        self, response: aiohttp.ClientResponse, method: str, departure: Departure, memory: HeldMemory
    ) -> ServiceAnswer:
        status = response.status
        if status == 101:
            message = "it switches to another protocol, which was not asked for"
            raise ExchangeFailed(ErrorCode.NETWORK, message, status=status)
        raw = [(_text(name), _text(value)) for name, value in response.raw_headers]
        coding = content_coding(raw, status=status)
        body = await self._receive(response, method, memory)
        if not _says_its_end(raw) and departure.was_reset():
            raise Interrupted("the connection was lost before the answer was complete")
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

    async def _receive(self, response: aiohttp.ClientResponse, method: str, memory: HeldMemory) -> bytes:
        """Read the body as it comes over the wire; a large one waits for memory, and so the service waits, too."""
        limit = self.max_response_bytes
        declared = 0 if method == "HEAD" else response.content_length or 0
        if declared > limit:
            raise self._too_large(response.status)
        await memory.hold(declared)
        content = response.content
        body = await content.readany()
        if content.at_eof():
            return body
        pieces, size = [body], len(body)
        while not content.at_eof():
            if size > SMALL_BYTES:
                await memory.hold(declared or limit)
            pieces.append(await content.readany())
            size += len(pieces[-1])
            if size > limit:
                raise self._too_large(response.status)
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


def _end_to_end(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    named = {
        word.strip().lower() for name, value in headers if name.lower() == "connection" for word in value.split(",")
    }
    return [pair for pair in headers if pair[0].lower() not in _HOP_BY_HOP and pair[0].lower() not in named]


def _says_its_end(headers: Sequence[tuple[str, str]]) -> bool:
    return any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in headers)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__

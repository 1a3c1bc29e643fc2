"""One request and its whole answer over the shared session: bounded, decoded, with a definite word on what left."""

import asyncio
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from daemon.connectors.http.dialling import DEPARTURE, Departure
from daemon.connectors.http.records import ErrorCode
from daemon.connectors.http.workers import BodyWorkers

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection"}
)
# Above this size the client library warns about bytes, and sends a file-like body in pieces instead.
_WHOLE_BODY_BYTES = 1 << 20
_INLINE_DECODE_BYTES = 16 * 1024  # may unpack to a thousand times as much

OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What the session must not add by itself."""
_ACCEPT_ENCODING = ("Accept-Encoding", "gzip, deflate")


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: its headers without those of the connection, its body without its content coding."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class ExchangeFailed(Exception):
    """An exchange that gave no complete answer; temporary says whether the same again might."""

    def __init__(self, code: ErrorCode, message: str, *, status: int | None = None, temporary: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.temporary = temporary


class Interrupted(Exception):
    """The connection ended before the answer did."""


async def refuse_hidden_retry(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep the client library from sending a request again by itself when a pooled connection was dead.

    It does so for every method it takes for idempotent; whether that is safe is the manifest's to say, not the
    method's, and every attempt belongs in the record.
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
    ) -> Answer:
        """Send one request and read its answer; raise AddressRefused or ExchangeFailed."""
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
                    return await self._read(response, method)
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

    async def _read(self, response: aiohttp.ClientResponse, method: str) -> Answer:
        limit = self.max_response_bytes
        if method != "HEAD" and (response.content_length or 0) > limit:
            raise self._too_large(response.status)
        content = response.content
        body = await content.readany()
        if not content.at_eof():
            pieces, size = [body], len(body)
            while not content.at_eof():
                pieces.append(await content.readany())
                size += len(pieces[-1])
                if size > limit:
                    raise self._too_large(response.status)
            body = b"".join(pieces)
        headers = _end_to_end(response.raw_headers)
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding and coding != "identity" and body:
            decode = partial(_decode, coding, body, limit)
            body = await self.workers.run(decode, size=len(body), inline_bytes=_INLINE_DECODE_BYTES)
        if len(body) > limit:
            raise self._too_large(response.status)
        if coding and method != "HEAD":
            # They describe bytes that the connector does not get.
            headers = [pair for pair in headers if pair[0].lower() not in {"content-encoding", "content-length"}]
        return Answer(response.status, tuple(headers), body)

    def _too_large(self, status: int) -> ExchangeFailed:
        return ExchangeFailed(
            ErrorCode.TOO_LARGE, f"its answer is larger than {self.max_response_bytes} bytes", status=status
        )


def _end_to_end(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    headers = [(_text(name), _text(value)) for name, value in raw]
    named = {
        word.strip().lower() for name, value in headers if name.lower() == "connection" for word in value.split(",")
    }
    return [pair for pair in headers if pair[0].lower() not in _HOP_BY_HOP and pair[0].lower() not in named]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _decode(coding: str, body: bytes, limit: int) -> bytes:
    """Undo the content coding of a body without ever holding much more than the limit."""
    if coding not in {"gzip", "x-gzip", "deflate"}:
        # A body that we cannot read, we cannot scrub either.
        raise ExchangeFailed(ErrorCode.NETWORK, f"its answer is encoded as {coding[:40]!r}, which was not asked for")
    raw_deflate = coding == "deflate" and body[0] & 0x0F != 8  # some servers send deflate without the zlib frame
    decoded: list[bytes] = []
    left = limit + 1
    while body and left > 0:
        stream = zlib.decompressobj(-zlib.MAX_WBITS if raw_deflate else zlib.MAX_WBITS | 32)
        try:
            decoded.append(stream.decompress(body, left))
        except zlib.error as error:
            raise ExchangeFailed(ErrorCode.NETWORK, f"its answer is not the {coding} that it says it is") from error
        left -= len(decoded[-1])
        if not stream.eof and left > 0:
            raise ExchangeFailed(ErrorCode.NETWORK, f"its {coding} answer ends in the middle")
        body = stream.unused_data if coding != "deflate" else b""
    if left <= 0:
        raise ExchangeFailed(ErrorCode.TOO_LARGE, f"its decoded answer is larger than {limit} bytes")
    return b"".join(decoded)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__

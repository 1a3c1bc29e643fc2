"""A way to the daemon over HTTP/1.1, made for calls that are small and many: connections are kept, and little is built.

A request is never sent twice: what became of one that was interrupted is for who asked to find out.
"""

import asyncio
import os
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

import httptools

from aileron_mcp.exchange import BrokenOff, NotReached
from aileron_mcp.plain_answers import HEADERS, plain_body

_CONNECT_SECONDS = 5.0
_KEPT_SECONDS = 50.0
"""The daemon closes a connection that was not used for 75 s; one that it may just be closing is not used again."""
_MOST_KEPT = 32
_MOST_UNREAD = 1024 * 1024
_MOST_HEADERS = 100
_MOST_HEADS = 256


class Connections:
    """The connections to one daemon."""

    def __init__(self, url: str, *, trust: ssl.SSLContext) -> None:
        place = urlsplit(url)
        if place.scheme not in {"http", "https"} or place.hostname is None:
            raise NotReached(f"{url!r} is no address of a daemon")
        self._host = place.hostname
        self._port = place.port or (443 if place.scheme == "https" else 80)
        self._trust = trust if place.scheme == "https" else None
        self._base = place.path.rstrip("/")
        self._name = place.netloc.rpartition("@")[2]
        self._kept: list[_Connection] = []
        self._head = lru_cache(_MOST_HEADS)(self._made)
        """Heads that were made before are kept: calls of one tool differ in nothing but the content and its length."""

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes = b"", silence: float | None = None
    ) -> "_Exchange":
        """Send a request; leaving the context before its answer was read whole hangs up."""
        head = self._head(method, path, tuple(headers.items()))
        return _Exchange(self, b"%b%d\r\n\r\n%b" % (head, len(content), content), silence)

    def send_at_once(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes, told: Callable[[], None]
    ) -> "_Exchange | None":
        """Send a request now, over a connection that was kept; None if there is none."""
        connection = self._take()
        if connection is None:
            return None
        exchange = self.send(method, path, headers=headers, content=content)
        exchange.when_told = told
        connection.begin(exchange)
        return exchange

    async def connected(self) -> "_Connection":
        """Return a connection that is free: one that was kept, or a new one."""
        return self._take() or await self._connect()

    def _take(self) -> "_Connection | None":
        while self._kept:
            connection = self._kept.pop()
            if not connection.closed and time.monotonic() - connection.kept_since < _KEPT_SECONDS:
                return connection
            connection.close()
        return None

    def keep(self, connection: "_Connection") -> None:
        """Keep a connection for the next request."""
        if len(self._kept) < _MOST_KEPT:
            connection.kept_since = time.monotonic()
            self._kept.append(connection)
        else:
            connection.close()

    async def aclose(self) -> None:
        """Close what is open."""
        while self._kept:
            self._kept.pop().close()

    def _made(self, method: str, path: str, headers: tuple[tuple[str, str], ...]) -> bytes:
        """Make the head of a request, up to the length of its content."""
        fields = {"Host": self._name, **dict(headers)}
        lines = [f"{method} {self._base}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        if any(not line.isprintable() or not line.isascii() for line in lines):
            # A token with a line break in it would otherwise become a header of its own.
            raise NotReached("the address or the token holds characters that a request cannot have")
        return "\r\n".join([*lines, "Content-Length: "]).encode("ascii")

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self),
                    self._host,
                    self._port,
                    ssl=self._trust,
                    server_hostname=None if self._trust is None else self._host,
                )
        except TimeoutError:
            raise NotReached(f"no connection within {_CONNECT_SECONDS:g} s") from None
        except ssl.SSLError as problem:
            raise NotReached(str(problem)) from problem
        except OSError as problem:
            # Several addresses that failed have no number, and a name that is not known has one of its own.
            number = problem.errno or 0
            raise NotReached(os.strerror(number) if number > 0 else problem.strerror or str(problem)) from problem
        return connection


class _Exchange:
    """One request, and its answer as it comes."""

    def __init__(self, connections: Connections, request: bytes, silence: float | None) -> None:
        self._connections = connections
        self.request = request
        self._silence = silence
        self.connection: _Connection | None = None
        self._waiting: asyncio.Future[None] | None = None
        """Whoever waits for news of the answer."""
        self.when_told: Callable[[], None] | None = None
        """Called once: when the answer is whole, is too long to wait for that, or broke off."""
        self._unread: deque[bytes] = deque()
        self._size = 0
        self._head = False
        self._ended = False
        self._problem: str | None = None
        self.status = 0
        self.headers: dict[str, str] = {}

    @property
    def content(self) -> bytes | None:
        """Return the body, if it is whole; it can still be read."""
        return b"".join(self._unread) if self._ended else None

    def hang_up(self) -> None:
        """Want nothing more of the answer."""
        self.when_told = None
        if self.connection is not None and not self._ended:
            self.connection.close()

    async def __aenter__(self) -> Self:
        if self.connection is None:
            connection = await self._connections.connected()
            connection.begin(self)
        try:
            while not self._head:
                await self._news()
        except BaseException:
            self.hang_up()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()

    async def whole(self) -> bytes:
        """Return the body."""
        if self._ended and len(self._unread) == 1:
            return self._unread.popleft()
        return b"".join([part async for part in self.parts()])

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        while True:
            while self._unread:
                part = self._unread.popleft()
                self._size -= len(part)
                if self.connection is not None and self._size < _MOST_UNREAD and not self._ended:
                    self.connection.go_on()
                yield part
            if self._ended:
                return
            await self._news()

    def take_head(self, status: int) -> None:
        """Note that the head is whole."""
        self._head, self.status = True, status
        if "content-length" not in self.headers:
            self._tell()  # it comes in parts, for as long as it takes
        self._wake()

    def take(self, part: bytes) -> bool:
        """Take a part of the body; False if there is more than is read."""
        self._unread.append(part)
        self._size += len(part)
        if self._size >= _MOST_UNREAD:
            self._tell()
        self._wake()
        return self._size < _MOST_UNREAD

    def take_plain(self, body: bytes) -> None:
        """Take a plain answer."""
        self._head = self._ended = True
        self.status, self.headers = 200, HEADERS
        self._unread.append(body)
        self._size = len(body)
        self._tell()
        if self._waiting is not None:
            self._wake()

    def end(self, problem: str | None = None) -> None:
        """Note that nothing more comes."""
        self._ended = self._ended or problem is None
        self._problem = self._problem or problem
        self._tell()
        self._wake()

    def _tell(self) -> None:
        call, self.when_told = self.when_told, None
        if call is not None:
            call()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _news(self) -> None:
        if self._problem is not None:
            raise BrokenOff(self._problem)
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        if self._silence is None:
            await self._waiting
            return
        limit = loop.call_later(self._silence, self._silent, self._waiting)
        try:
            await self._waiting
        finally:
            limit.cancel()

    def _silent(self, waited: asyncio.Future[None]) -> None:
        if not waited.done():
            self.end(f"nothing came for {self._silence:g} s")


class _Connection(asyncio.Protocol):
    """One connection: one request at a time. The parser calls the methods that begin with `on_`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: _Exchange | None = None
        self._parsing = False
        """Whether the parser has seen a part of the answer."""
        self._paused = False
        self.closed = False
        self.kept_since = 0.0

    def begin(self, exchange: _Exchange) -> None:
        """Send a request."""
        exchange.connection = self
        self._exchange = exchange
        self._transport.write(exchange.request)

    def go_on(self) -> None:
        """Read on, after a pause because too much was unread."""
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """Close it, and drop what is under way."""
        self.closed = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Have it read."""
        exchange = self._exchange
        if exchange is None:
            self.close()  # nobody asked
            return
        body = None if self._parsing else plain_body(data)
        if body is not None:
            self._exchange = None
            self._connections.keep(self)
            exchange.take_plain(body)
            return
        self._parsing = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            self._fail(f"it is not HTTP ({problem})")

    def eof_received(self) -> None:
        """Note that nothing more can be asked over it."""
        self.closed = True

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way."""
        self.closed = True
        if self._exchange is not None:
            self._exchange.end("the connection broke" if exc is not None else "the connection was closed")
            self._exchange = None

    def on_message_begin(self) -> None:
        """Refuse an answer that nobody asked for: it would be taken for the next one."""
        if self._exchange is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if self._exchange is not None:
            self._exchange.headers[name.decode("latin-1").lower()] = value.decode("latin-1")
            if len(self._exchange.headers) > _MOST_HEADERS:
                self._fail("it has too many headers")

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        if self._exchange is not None:
            self._exchange.take_head(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._exchange is not None and not self._exchange.take(body) and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """Note that the answer is whole, and become free if the daemon keeps the connection."""
        exchange, self._exchange, self._parsing = self._exchange, None, False
        self.go_on()
        if self._parser.should_keep_alive() and not self.closed:
            self._connections.keep(self)
        else:
            self.close()
        if exchange is not None:
            exchange.end()

    def _fail(self, problem: str) -> None:
        exchange, self._exchange = self._exchange, None
        self.close()
        if exchange is not None:
            exchange.end(problem)

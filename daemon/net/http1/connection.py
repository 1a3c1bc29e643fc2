"""One connection to a server: one exchange at a time, with backpressure both ways."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import httptools

from daemon.net.http1.errors import Broken, TooSlow, UpstreamError
from daemon.net.http1.head import Headers, has_no_body, is_framed, is_plainly_framed
from daemon.net.kept import has_news

_HIGH_WATER = 1 << 18
_MAX_HEAD = 1 << 18


class Connection(asyncio.Protocol):
    """Sends the bytes of a request and gives out the answer as it comes.

        free --begin()--> sent --head()--> answering --read() until the last--> complete --release()--> free
          |                 |                 |                                    |
          +-----------------+-----------------+-- abort(), or the server ends it --+--> closed

    After `release()`, a connection that cannot carry another exchange is closed, too.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        where: str,
        on_free: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self.idle_since = 0.0
        self.status = 0
        self.headers: Headers = []
        self.spelled: Headers = []
        self._loop = loop
        self._where = where
        self._on_free = on_free
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._method = ""
        self._head_bytes = 0
        self._head_done = False
        self._complete = True
        self._keep_alive = False
        self._dirty = False
        self._problem: UpstreamError | None = None
        self._pieces: list[bytes] = []
        self._waiting: asyncio.Future[None] | None = None
        self._buffered = 0
        self._reading_paused = False
        self._writable: asyncio.Future[None] | None = None

    # What the exchange does.

    def begin(self, method: str, first: bytes) -> None:
        """Send the beginning of a request: its head, and what is there of its body."""
        self._method = method
        self.status, self.headers, self.spelled = 0, [], []
        self._head_bytes, self._head_done, self._complete = 0, False, False
        self._pieces, self._buffered, self._keep_alive = [], 0, False
        self._parser = httptools.HttpResponseParser(self)
        self.write(first)

    def write(self, data: bytes) -> None:
        """Send more."""
        if self._problem is not None:
            raise self._problem
        cast("asyncio.Transport", self._transport).write(data)

    async def drain(self) -> None:
        """Wait until the server takes more."""
        if self._writable is not None:
            await self._writable

    async def head(self, *, seconds: float | None = None) -> None:
        """Wait until the head of the answer is there: status and headers."""
        timer = None if seconds is None else self._loop.call_later(seconds, self._too_slow, seconds)
        try:
            while not (self._head_done or self._problem):
                await self._wait()
        finally:
            if timer is not None:
                timer.cancel()
        if not self._head_done:
            raise self._problem or Broken(f"{self._where} closed the connection.")

    async def read(self) -> tuple[bytes, bool]:
        """Return what has come of the body, waiting for something, and whether that was the last of it."""
        pieces = self._pieces
        while not pieces and not self._complete:
            if self._problem is not None:
                raise self._problem
            await self._wait()
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces, self._buffered = [], 0
        if self._reading_paused and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()
        return data, self._complete

    def release(self) -> None:
        """End the exchange: a connection that may carry another one is kept, any other is closed."""
        fit = self._complete and not self._dirty and self._problem is None and self._parser is not None
        if fit and self._keep_alive:
            self._parser = None
            self._pieces = []
            self._on_free(self)
        else:
            self.abort()

    @property
    def is_complete(self) -> bool:
        """Say whether the whole answer has come and was read."""
        return self._complete and not self._pieces

    def abort(self) -> None:
        """Close it in the middle of whatever it does."""
        self._dirty = True
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_open(self) -> bool:
        """Say whether it can still carry a request."""
        return self._problem is None and not self._dirty and not has_news(self._transport)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._parser is None or self._complete:
            self.abort()  # an answer that nobody asked for
            return
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._complete:
                self._end(Broken(f"What {self._where} answered is not HTTP/1.1."))
            self.abort()
        if not self._head_done and self._head_bytes > _MAX_HEAD:
            self._end(Broken(f"The head of the answer of {self._where} is longer than {_MAX_HEAD} bytes."))
            self.abort()
        if self._buffered > _HIGH_WATER and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Complete an answer that says no length and so ends with the connection; any other one was cut off."""
        if self._head_done and not self._complete and not is_framed(self.headers):
            self._complete = self._dirty = True
        self._end(Broken(f"{self._where} closed the connection before its answer was complete."))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake everybody who waits for this connection, with the reason."""
        why = f": {exc}" if exc is not None else ""
        self._end(Broken(f"The connection to {self._where} was lost{why}."))
        self.resume_writing()
        self._transport = None
        self._on_lost(self)

    def pause_writing(self) -> None:
        """The server is slow in taking the request."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """The server takes more."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request."""
        if self._complete:
            self._dirty = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head; headers behind the body belong to this hop and are dropped."""
        if not self._head_done:
            self.headers.append((name.lower(), value))
            self.spelled.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the head, unless it is only an interim one."""
        status = self._parser.get_status_code()
        if self._complete:
            return  # the head of an answer nobody asked for
        if 100 <= status < 200 and status != 101:
            self.headers, self.spelled = [], []
            return
        if not (200 <= status < 600 and is_plainly_framed(self.headers)):
            raise ValueError(status)  # the parser makes its own error of it
        self.status = status
        self._head_done = True
        if has_no_body(self._method, status):
            self._complete = True
            # The parser waits for a body that is announced all the same, and knows nothing of HEAD.
            announced = self._method == "HEAD" or is_framed(self.headers)
            self._keep_alive = not announced and self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        if not self._complete:
            self._pieces.append(body)
            self._buffered += len(body)

    def on_message_complete(self) -> None:
        """Note that the answer is complete."""
        if self._head_done and not self._complete:
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()

    def _too_slow(self, seconds: float) -> None:
        self._end(TooSlow(f"{self._where} did not begin to answer in {seconds:g} s."))

    def _end(self, problem: UpstreamError) -> None:
        if self._problem is None:
            self._problem = problem
        self._wake()

    async def _wait(self) -> None:
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

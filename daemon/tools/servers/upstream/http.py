"""The transport over Streamable HTTP: each request is a POST, and its answer comes as JSON or as a stream of events."""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence

from daemon.base.tasks import TaskSet
from daemon.net.http1.connection import Connection
from daemon.net.http1.pool import Pool
from daemon.tools.servers.upstream.events import Event, Events
from daemon.tools.servers.upstream.headers import VERSION
from daemon.tools.servers.upstream.http_calls import HttpCalls, whole_body
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.messages import Unreadable, decode, encode
from daemon.tools.servers.upstream.pace import Pace
from daemon.tools.servers.upstream.questions import ASKS_BACK
from daemon.tools.servers.upstream.seam import Era, Hello, Message, Trouble, UpstreamError
from daemon.tools.servers.upstream.statuses import error_in, header, media_type, problem_of, session_is_gone
from daemon.tools.servers.upstream.transport import Authorisation, Outgoing, Receiver

_STREAM = "text/event-stream"
_POST = {"content-type": "application/json", "accept": f"application/json, {_STREAM}"}
_GET = {"accept": _STREAM}
_SESSION = "mcp-session-id"
_SESSION_NAME = re.compile(r"[\x21-\x7e]{1,1024}")
_MOST_SENT_SOON = 64
_LINES_AS_ONE = 16
_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_DELETE_SECONDS = 2.0


class HttpTransport:
    """Speaks with a server at a URL.

    In the handshake era there is one session, which the server names in its first answer:

        none --initialize--> named --404--> gone: every further request is refused with SESSION_GONE
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        http: Pool,
        authorisation: Authorisation | None = None,
    ) -> None:
        self._calls = HttpCalls(url, headers, http, authorisation)
        self._tasks = TaskSet()
        self._version: str | None = None
        self._session: str | None = None
        self._open = True
        self._modern = False
        self._sent_soon = 0
        self._stream_answered = asyncio.Event()
        """Whether the server has said if it has a stream for what it says by itself: then nothing is waited for."""
        self._receiver: Receiver
        self._limits: Limits

    @property
    def is_open(self) -> bool:
        """Say whether a message can still be sent."""
        return self._open

    has_headers = True

    @property
    def closing_calls_off(self) -> bool:
        """Say whether a request is called off by ending its exchange: so it is in the modern era."""
        return self._modern

    def open(self, receiver: Receiver, limits: Limits) -> None:
        """Take who hears what comes. Nothing is sent yet."""
        self._receiver, self._limits = receiver, limits

    async def carry(self, outgoing: Outgoing) -> None:
        """Make one exchange; returns when the receiver has the answer. Raises UpstreamError."""
        if not self._open:
            raise UpstreamError(Trouble.NOT_REACHED, f"The session at {self._calls.where} has ended.")
        try:
            body = encode(outgoing.message)
        except (ValueError, TypeError, RecursionError) as error:
            raise UpstreamError(Trouble.NOT_REACHED, f"This cannot be written as JSON: {error}.") from error
        await self._until_the_server_can_ask(outgoing)
        had_session = self._session is not None
        own = {**_POST, **self._standing(), **outgoing.headers}
        events = Events(self._limits.message_bytes)
        async with self._calls.made("POST", own, body, outgoing) as connection:
            if not 200 <= connection.status < 300:
                await self._failed(connection, outgoing, had_session=had_session)
                return
            self._name_session(connection, outgoing)
            if outgoing.id is None:
                return
            if media_type(connection.headers) != _STREAM:
                await self._whole(connection, outgoing)
                return
            if await self._stream(connection, events, outgoing.id):
                return
        await self._resume(events, outgoing)

    async def _until_the_server_can_ask(self, outgoing: Outgoing) -> None:
        """Wait until the stream is open on which a server of the older era may ask back: it loses what it asks earlier.

        A server that does not answer the wish for a stream is waited for once, and not long.
        """
        if outgoing.message.get("method") in ASKS_BACK and self._session is not None and self._version is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.stream_seconds):
                    await self._stream_answered.wait()
            self._stream_answered.set()

    def send_soon(self, outgoing: Outgoing) -> None:
        """Send a message beside, unless many are being sent already."""
        if self._open and self._sent_soon < _MOST_SENT_SOON:
            self._sent_soon += 1
            self._tasks.start(self._send(outgoing), name="server-message")

    def agreed(self, hello: Hello) -> None:
        """Take the version for the headers; in the handshake era, begin to hear what the server says by itself."""
        self._modern = hello.era is Era.MODERN
        self._version = None if self._modern else hello.version
        if not self._modern and self._session is not None:
            self._tasks.start(self._listen(), name="server-stream")

    async def close(self) -> None:
        """End the session, as far as the server knows one and answers."""
        was_open, self._open = self._open, False
        await self._tasks.close()
        try:
            if was_open and self._session is not None:
                with contextlib.suppress(UpstreamError, TimeoutError):
                    async with asyncio.timeout(_DELETE_SECONDS):
                        async with self._calls.made("DELETE", self._standing(), b"", Outgoing({})):
                            pass
        finally:
            await self._calls.close()

    def _standing(self) -> dict[str, str]:
        standing = {VERSION.lower(): self._version} if self._version is not None else {}
        return standing | ({_SESSION: self._session} if self._session is not None else {})

    def _name_session(self, connection: Connection, outgoing: Outgoing) -> None:
        name = header(connection.headers, _SESSION.encode())
        if outgoing.message.get("method") != "initialize" or name is None:
            return
        if not _SESSION_NAME.fullmatch(name):
            raise UpstreamError(
                Trouble.MALFORMED, f"{self._calls.where} names its session in a way that cannot be used."
            )
        self._session = name

    async def _failed(self, connection: Connection, outgoing: Outgoing, *, had_session: bool) -> None:
        body = b""
        if media_type(connection.headers) == "application/json":
            body = await whole_body(connection, self._limits.message_bytes)
        if session_is_gone(connection.status, body, had_session=had_session):
            self._open = False
            message = f"{self._calls.where} does not know the session any more."
            raise UpstreamError(Trouble.SESSION_GONE, message, code=connection.status)
        said = error_in(body, outgoing.id) if connection.status not in {401, 403} else None
        if said is None or outgoing.id is None:
            raise problem_of(self._calls.where, connection.status, connection.headers)
        self._receiver.received(said, outgoing.id)

    async def _whole(self, connection: Connection, outgoing: Outgoing) -> None:
        body = await whole_body(connection, self._limits.message_bytes)
        messages = decode(body) if body else Unreadable("it answered with nothing")
        if isinstance(messages, Unreadable):
            self._receiver.unreadable(messages.what, outgoing.id)
        elif not self._takes(messages, outgoing.id):
            self._receiver.unreadable("it answered something else than was asked", outgoing.id)

    async def _stream(self, connection: Connection, events: Events, number: int | None) -> bool:
        """Read a stream until it holds the answer, and say whether it did."""
        pace = Pace(self._limits.unasked_each_second)
        last = False
        while not last:
            piece, last = await connection.read()
            if events.is_dropping:
                pace.dropped(len(piece))
            # Comments and fields make no event, and a large answer may have many lines; so a line counts for little.
            pace.unasked(events.lines_taken() // _LINES_AS_ONE)
            for event in events.feed(piece):
                if not isinstance(event, Event):
                    self._receiver.unreadable("it sent an event that is too long", number)
                    if number is not None:
                        return True  # it was the answer, or what is left of the stream cannot be trusted
                elif event.name != "message":
                    pace.unasked()
                elif self._took(event.data, number):
                    return True
                else:
                    pace.unasked()
            await pace.rest()
        return False

    def _took(self, data: bytes, number: int | None) -> bool:
        messages = decode(data)
        if isinstance(messages, Unreadable):
            answered = number is not None and messages.answers == number
            self._receiver.unreadable(messages.what, number if answered else None)
            return answered
        return self._takes(messages, number)

    def _takes(self, messages: Sequence[Message], number: int | None) -> bool:
        """Hand over every message, and say whether the answer was among them."""
        return sum(self._receiver.received(message, number) for message in messages) > 0

    async def _resume(self, events: Events, outgoing: Outgoing) -> None:
        """Ask for the rest of a stream that ended before it held the answer. The request itself is not repeated."""
        fruitless = 0
        while self._open and events.last_id is not None and fruitless < self._limits.resumptions:
            await asyncio.sleep(events.retry_seconds if events.retry_seconds is not None else _PAUSE)
            own, seen = {**_GET, **self._standing(), "last-event-id": events.last_id}, events.last_id
            try:
                async with self._calls.made("GET", own, b"", Outgoing({})) as connection:
                    if connection.status != 200 or media_type(connection.headers) != _STREAM:
                        break
                    if await self._stream(connection, events, outgoing.id):
                        return
            except UpstreamError as problem:
                if problem.trouble is Trouble.UNAUTHORISED:
                    break
            fruitless = fruitless + 1 if events.last_id == seen else 0
        raise UpstreamError(Trouble.LOST, f"{self._calls.where} ended its answer before it was complete.")

    async def _listen(self) -> None:
        """Hear what the server says by itself, where it offers that."""
        events, pause, had_stream = Events(self._limits.message_bytes), _PAUSE, False
        while self._open:
            resumed = {"last-event-id": events.last_id} if events.last_id is not None else {}
            try:
                async with self._calls.made(
                    "GET", {**_GET, **self._standing(), **resumed}, b"", Outgoing({})
                ) as stream:
                    self._stream_answered.set()
                    if stream.status == 404 and had_stream:
                        self._open = False  # the session has ended; a server that has no such stream says 404, too
                    if stream.status != 200 or media_type(stream.headers) != _STREAM:
                        return
                    pause, had_stream = _PAUSE, True
                    await self._stream(stream, events, None)
            except UpstreamError as problem:
                self._stream_answered.set()
                if problem.trouble not in {Trouble.LOST, Trouble.NOT_REACHED}:
                    return
            await asyncio.sleep(events.retry_seconds or pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _send(self, outgoing: Outgoing) -> None:
        try:
            await self.carry(outgoing)
        except UpstreamError:
            pass  # nobody waits for it, and the next request says what is wrong
        finally:
            self._sent_soon -= 1

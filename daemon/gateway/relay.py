"""Carries the bytes of one request to a provider and those of the answer back, without reading them."""

import asyncio
from typing import Literal

from starlette.types import Message, Receive, Send

from daemon.base.clock import Clock
from daemon.gateway.forwarding import back
from daemon.gateway.record import Exchange
from daemon.net.http1.connection import Connection
from daemon.net.http1.errors import UpstreamError

_LOOK_AFTER_SECONDS = 0.05
"""After this, a task waits for the client to leave. It costs as much as the rest of the relay, and most answers have
begun by then."""

Leaving = Literal["client_gone", "session_ended"]


class Relay:
    """Carries one exchange between the agent's connection and a provider's."""

    def __init__(self, receive: Receive, send: Send, exchange: Exchange, clock: Clock) -> None:
        self.left: Leaving | None = None
        self.begun = False
        """Whether the agent has got the head of an answer; then it is too late to answer with an error."""
        self._receive = receive
        self._send = send
        self._exchange = exchange
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._later: asyncio.TimerHandle | None = None
        self._beside: asyncio.Task[None] | None = None
        self._uploaded = False

    async def first(self) -> tuple[bytes, bool]:
        """Return what is there of the body, and whether there is more."""
        message = await self._receive()
        piece = self._took(message)
        more = bool(message.get("more_body"))
        if not more:
            self._uploaded = True
            self._later = self._loop.call_later(_LOOK_AFTER_SECONDS, self._look)
        return piece, more

    async def carry(
        self, connection: Connection, method: str, first: bytes, *, chunked: bool | None, seconds: float
    ) -> None:
        """Send the request, and its answer back as it comes; raises UpstreamError until the answer has begun.

        `chunked` says how the rest of the request's body is framed; None means that there is no rest.
        """
        exchange = self._exchange
        connection.begin(method, first)
        try:
            if chunked is not None:
                self._beside = self._loop.create_task(self._upload(connection, chunked=chunked))
            await connection.head(seconds=seconds)
            exchange.status = connection.status
            exchange.first_byte = self._clock.monotonic()
            self.begun = True
            # The head is sent at once, because the body may take long.
            headers = back(connection.headers, connection.status)
            await self._send({"type": "http.response.start", "status": connection.status, "headers": headers})
            last = False
            while not last:
                piece, last = await connection.read()
                exchange.bytes_out += len(piece)
                await self._send({"type": "http.response.body", "body": piece, "more_body": not last})
            exchange.outcome = "completed"
        except UpstreamError:
            if not self.begun:
                raise
            # Nothing more is sent: our server closes the agent's connection in the middle, as the provider did here.
            exchange.outcome = "upstream_cut"
        finally:
            if self._uploaded and exchange.outcome == "completed":
                connection.release()
            else:
                connection.abort()

    def leave(self, why: Leaving) -> None:
        """End the exchange now."""
        if self.left is None and self._exchange.outcome != "completed":
            self.left = why
            if self._task is not None and self._task is not asyncio.current_task():
                self._task.cancel()

    def end(self) -> None:
        """Stop looking whether the client is still there."""
        if self._later is not None:
            self._later.cancel()
        if self._beside is not None:
            self._beside.cancel()

    async def _upload(self, connection: Connection, *, chunked: bool) -> None:
        try:
            more = True
            while more:
                message = await self._receive()
                piece = self._took(message)
                more = bool(message.get("more_body"))
                if piece:
                    connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    await connection.drain()
            if chunked:
                connection.write(b"0\r\n\r\n")
        except (UpstreamError, asyncio.CancelledError):
            return  # `carry`, which reads the answer, gets the same problem
        self._uploaded = True
        await self._until_gone()

    def _took(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            self.leave("client_gone")
            raise asyncio.CancelledError
        piece: bytes = message.get("body", b"")
        self._exchange.bytes_in += len(piece)
        return piece

    def _look(self) -> None:
        self._beside = self._loop.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.leave("client_gone")

"""One connection of a listener: uvicorn's protocol, with limits for what a caller may take without a request."""

import asyncio
import contextlib
import re
import socket
from enum import Enum
from typing import cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from daemon.base.whole import App, TakesWhole, Whole
from daemon.lifecycle.bounds import ListenerBounds
from daemon.lifecycle.lobby import Lobby
from daemon.lifecycle.together import Together
from daemon.lifecycle.whole_cycle import WholeCycle

_PLAIN = re.compile(rb"(?:/[\w.~-]+)+")
"""A path that is written in one way only, without a query."""
_SLICE = 32 * 1024
_LONG_SECONDS = 0.5
"""A request that was taken whole and is not answered after this goes on through ASGI."""


class _Stage(Enum):
    """What comes next on the wire."""

    BETWEEN = "between"
    """A new request."""
    HEAD = "head"
    BODY = "body"


class _RefusedError(Exception):
    """A request that is refused. It is raised through the parser, to the code that feeds it."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class BoundedConnection(HttpToolsProtocol):
    """Ends when a head, a body, a handshake or a pause takes too long, and when a head is too large.

    It has no timers of its own: `look` is called about once a second, and only the time between looks counts. So a
    daemon that was stopped for a minute does not hold that against those who waited.
    A request that is whole and is being answered has no limit here: long polls, event streams and slow models go on.
    """

    def __init__(
        self,
        accepted: socket.socket,
        *,
        config: uvicorn.Config,
        server_state: ServerState,
        lobby: Lobby,
        bounds: ListenerBounds,
        takes: TakesWhole | None = None,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state={})
        self._accepted = accepted
        self._takes = takes
        """Who may take a request whole."""
        self._held: list[bytes] | None = None
        """The body of a request that may be taken whole, as far as it is here; it has no cycle yet."""
        self._whole: WholeCycle | None = None
        """The request that was taken last."""
        self._lobby = lobby
        self._bounds = bounds
        self._most_head = bounds.most_head
        self._connected = False
        self._asked = False
        """Whether there ever was a whole head."""
        self._stage = _Stage.BETWEEN
        self._waited = 0.0
        self._loose = 0
        """Bytes that came since the last whole head or piece of a body: parts of a head, of trailers, of framing."""
        self._body_bytes = 0
        self._patience = bounds.body_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, after the handshake if there is one."""
        super().connection_made(transport)
        self._connected = True
        self._waited = 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        if self._whole is not None:
            self._whole.lose()  # the protocol knows only the request that came last
        self._lobby.leave(self)

    def shutdown(self) -> None:
        """Close when what is under way is answered; the server waits for apps, so it is handed on to one."""
        if self._whole is not None:
            self._whole.grow_long()
        super().shutdown()

    def never_connected(self) -> None:
        """Forget everything after a handshake that came to nothing."""
        self.parser = None  # type: ignore[assignment]  # it holds this object, and this object holds it
        self._lobby.leave(self)

    def turn_out(self) -> None:
        """Close at once: another connection needs the place."""
        if self._connected:
            self.transport.abort()
            return
        # In the handshake there is no transport to speak to yet. The socket can be shut; then the handshake fails.
        with contextlib.suppress(OSError):
            self._accepted.shutdown(socket.SHUT_RDWR)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, in pieces small enough that a head in one of them can be counted."""
        if len(data) <= _SLICE:
            taken = self._feed(data)
        else:
            taken = all(self._feed(data[begin : begin + _SLICE]) for begin in range(0, len(data), _SLICE))
        if taken and self._held is not None:
            self._offer()
        if taken and self._stage is _Stage.HEAD and not self._is_answering():
            self._lobby.unasked(self)

    def _feed(self, piece: bytes) -> bool:
        """Give a piece to the parser; say whether it was taken."""
        self._loose += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # nothing is upgraded here; the request is answered like any other
        except httptools.HttpParserError as problem:
            # Not logged: anyone who can connect could fill the disk with such lines.
            self._refuse_because(problem)
            return False
        if self._loose > self._most_head:
            self._refuse(431, f"A head may have {self._most_head} bytes.")
            return False
        return True

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        if self._held is not None:
            self._release()  # it is not alone, so it waits in the order of its coming
        super().on_message_begin()
        self._stage = _Stage.HEAD
        self._waited = 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of a head; one behind a body ends the connection, and with it whatever the request had begun.

        uvicorn has one list of headers for a request: a trailer would become a header of a request that was already let
        in by those it came with, or change the list under the app.
        """
        if self._stage is _Stage.BODY:
            raise _RefusedError(400, "Trailers are not taken.")
        # What uvicorn does, without a call of it: there are several headers in every request.
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take a request, unless it or what already waits is too much."""
        if len(self.headers) > self._bounds.most_headers:
            raise _RefusedError(431, f"A request may have {self._bounds.most_headers} headers.")
        if len(self.pipeline) >= self._bounds.most_pipelined:
            raise _RefusedError(429, "Too many requests were sent before the first one was answered.")
        if self._may_be_taken():
            self._held = []
        else:
            self._begin_cycle()
        self._stage = _Stage.BODY
        self._loose = 0
        self._body_bytes = 0
        self._patience = self._bounds.body_seconds
        self._lobby.busy(self)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._loose = 0
        self._body_bytes += len(body)
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._stage = _Stage.BETWEEN
        self._loose = 0
        if self._held is None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin with the next request that was sent ahead, or note that there is none.

        In place of uvicorn's, which sets a timer after every answer and unsets it at every request. `look` does that.
        """
        self.server_state.total_requests += 1
        self._waited = 0.0
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self._lobby.idle(self)

    def look(self, elapsed: float) -> None:
        """Close if something takes too long."""
        self._waited += elapsed
        if not self._connected:
            return  # a handshake has a timer of its own
        bounds = self._bounds
        if self.transport.is_closing():
            if self._waited > bounds.closing_seconds:
                self.transport.abort()
        elif self._is_answering():
            if self._stage is _Stage.BODY and not self.flow.read_paused:
                self._look_at_body(elapsed)
            elif self._whole is not None and self._waited > _LONG_SECONDS:
                self._whole.grow_long()
        elif self._stage is _Stage.BODY:
            if self._waited > bounds.unwanted_seconds:
                self.transport.abort()
        elif self._stage is _Stage.HEAD or not self._asked:
            if self._waited > bounds.head_seconds:
                self._refuse(408, f"The head of the request did not come within {bounds.head_seconds:g} s.")
        elif self._waited > bounds.idle_seconds:
            self.transport.close()

    def _look_at_body(self, elapsed: float) -> None:
        bounds = self._bounds
        gained = self._body_bytes / bounds.slowest_body
        self._body_bytes = 0
        self._patience = min(bounds.body_seconds, self._patience - elapsed + gained)
        if self._patience < 0:
            self.transport.abort()  # the reader of the body gets an error, so the request comes to nothing

    def _may_be_taken(self) -> bool:
        """Say whether the request whose head is here waits for its body before it gets a cycle."""
        return (
            self._takes is not None
            and not self._is_answering()
            and not self.expect_100_continue
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and _PLAIN.fullmatch(self.url) is not None
        )

    def _begin_cycle(self) -> None:
        super().on_headers_complete()
        self.cycle.transport = Together(self.transport, self.loop)  # type: ignore[assignment]  # all that a cycle uses
        self._asked = True

    def _release(self) -> None:
        """Let the request that was held go the way of all others."""
        pieces, self._held = self._held or [], None
        self._begin_cycle()
        for piece in pieces:
            super().on_body(piece)
        if self._stage is _Stage.BETWEEN:
            super().on_message_complete()

    def _offer(self) -> None:
        """Offer the request that is held, now that all is read that came with it, and release it if nobody takes it."""
        if self._takes is None or self._held is None or self._stage is not _Stage.BETWEEN or self.flow.write_paused:
            self._release()
            return
        request = Whole(self.url, self.headers, b"".join(self._held))
        whole = WholeCycle(
            request.target, self.scope, self.transport, answered=self._was_answered, hand_on=self._hand_on
        )
        before, self.cycle = self.cycle, cast("RequestResponseCycle", whole)  # it has all that is asked of a cycle
        self._whole = whole
        if whole.begin(self._takes, request):
            self._held = None
            self._asked = True
        else:
            self.cycle, self._whole = before, None
            self._release()

    def _was_answered(self) -> None:
        self._whole = None
        self.on_response_complete()

    def _hand_on(self, whole: WholeCycle, app: App) -> None:
        """Go on with a request that was taken, through ASGI, as if it had come this way."""
        self._whole = None
        path = whole.target.decode("ascii")
        whole.scope.update({"method": "POST", "path": path, "raw_path": whole.target, "query_string": b""})
        cycle = RequestResponseCycle(
            scope=whole.scope,
            transport=Together(self.transport, self.loop),  # type: ignore[arg-type]  # all that a cycle uses
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=whole.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.more_body = False
        whole.response_complete = True
        if self.cycle is cast("RequestResponseCycle", whole):
            self.cycle = cycle
        self._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        return self._asked and not self.cycle.response_complete

    def _refuse_because(self, problem: httptools.HttpParserError) -> None:
        cause: BaseException | None = problem
        while cause is not None and not isinstance(cause, _RefusedError):
            cause = cause.__context__
        if cause is None:
            self._refuse(400, "This is not a request in HTTP/1.1.")
        else:
            self._refuse(cause.status, str(cause))

    def _refuse(self, status: int, problem: str) -> None:
        if self._is_answering():
            if self._stage is not _Stage.BODY or self.pipeline or self.cycle.response_started:
                self.transport.abort()  # a second answer in the middle of the first would be taken for a part of it
                return
            # What is refused is the rest of the very request that is being looked at: this is its answer.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._held = None
        body = f"{problem}\n".encode()
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
        self._waited = 0.0

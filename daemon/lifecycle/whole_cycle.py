"""The answer to a request that was taken whole, in the place where uvicorn's protocol keeps a cycle of ASGI."""

import asyncio
from collections.abc import Callable
from typing import Any

from daemon.base.whole import App, Taken, TakesWhole, Whole

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncontent-type: application/json\r\n%b\r\n"
_LAST = b"connection: close\r\n"

HandOn = Callable[["WholeCycle", App], None]


class WholeCycle:
    """One request, from the moment that somebody may take it until it is answered or handed on.

    What has no underscore is what the protocol asks a cycle for.
    """

    __slots__ = (
        "_answered",
        "_hand_on",
        "_taken",
        "_transport",
        "disconnected",
        "keep_alive",
        "response_complete",
        "scope",
        "target",
    )

    response_started = False

    def __init__(
        self,
        target: bytes,
        scope: Any,
        transport: asyncio.Transport,
        *,
        answered: Callable[[], None],
        hand_on: HandOn,
    ) -> None:
        self.target = target
        self.scope = scope
        self._transport = transport
        self._answered = answered
        self._hand_on = hand_on
        self._taken: Taken | None = None
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def begin(self, app: TakesWhole, request: Whole) -> bool:
        """Offer a request; say whether it was taken."""
        self._taken = app.take(request, self)
        return self._taken is not None

    @property
    def message_event(self) -> "WholeCycle":
        """Return what the protocol sets when the connection is lost."""
        return self

    def set(self) -> None:
        """Tell whoever answers that the caller is gone."""
        taken, self._taken = self._taken, None
        if self.disconnected and taken is not None:
            taken.hang_up()

    def lose(self) -> None:
        """Note that the connection is lost."""
        self.disconnected = True
        self.set()

    def grow_long(self) -> None:
        """Have the request handed on, if it is not answered yet."""
        if self._taken is not None:
            self._taken.hand_on()

    def give(self, body: bytes) -> None:
        """Answer, in one write."""
        if self.response_complete or self.disconnected:
            return
        self._taken = None
        self.response_complete = True
        self._transport.write(_HEAD % (len(body), b"" if self.keep_alive else _LAST) + body)
        if not self.keep_alive:
            self._transport.close()
        self._answered()

    def hand_on(self, app: App) -> None:
        """Have an app give the answer."""
        if self.response_complete or self.disconnected:
            return
        self._taken = None
        self._hand_on(self, app)

"""A request that is under way."""

import asyncio
from typing import Any

from daemon.tools.servers.upstream.seam import Asking, UpstreamError
from daemon.tools.servers.upstream.transport import Outgoing


class Slot:
    """Waits for one answer, and knows what the server asked back meanwhile.

    While a question of the server's is open, the time of the request stands still: it is people who take their time.
    """

    def __init__(self, outgoing: Outgoing, asking: Asking) -> None:
        self._loop = asyncio.get_running_loop()
        self.outgoing = outgoing
        self.asking = asking
        self.answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self.questions: dict[Any, asyncio.Task[None]] = {}
        self.asked_back = 0
        self._clock: asyncio.Timeout | None = None
        self._left = 0.0

    def timed_by(self, clock: asyncio.Timeout) -> None:
        """Take the clock of the request."""
        self._clock = clock

    def succeed(self, result: dict[str, Any]) -> None:
        """Give the answer to whoever waits; a second one changes nothing."""
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, problem: UpstreamError) -> None:
        """Tell whoever waits that no answer will come."""
        if not self.answer.done():
            self.answer.set_exception(problem)
            self.answer.exception()  # whoever waited may have left; then nobody else looks at it

    def hold_clock(self) -> None:
        """Stop the time, if no other question has stopped it."""
        if self._clock is not None and self._clock.when() is not None and not self._clock.expired():
            self._left = (self._clock.when() or 0) - self._loop.time()
            self._clock.reschedule(None)

    def release_clock(self) -> None:
        """Let the time go on, if no other question is open."""
        if self._clock is not None and not self.questions and self._clock.when() is None:
            self._clock.reschedule(self._loop.time() + self._left)

    def close(self) -> None:
        """Let go of the clock: the request is over."""
        self._clock = None

"""A request that is under way."""

import asyncio
from types import TracebackType
from typing import Any, Self

from daemon.base.interruption import Interruption
from daemon.tools.servers.upstream.seam import Asking, UpstreamError
from daemon.tools.servers.upstream.transport import Outgoing


class TimeLimit(Interruption):
    """Interrupts what it surrounds when its time is over. The time can be made to stand still meanwhile."""

    __slots__ = ("_left", "_timer", "_until")

    def __init__(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._left = seconds
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        self.go_on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hold()
        super().__exit__(kind, problem, trace)

    def hold(self) -> None:
        """Let the time stand still."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left = self._until - self._loop.time()

    def go_on(self) -> None:
        """Let the time go on, unless it goes on already or what it is for is over."""
        if self._timer is None and self.goes_on:
            self._until = self._loop.time() + self._left
            self._timer = self._loop.call_later(self._left, self.interrupt)


class Slot:
    """Waits for one answer, and knows what the server asked back meanwhile.

    While a question of the server's is open, the time of the request stands still: it is people who take their time.
    """

    def __init__(self, outgoing: Outgoing, asking: Asking) -> None:
        loop = asyncio.get_running_loop()
        self.outgoing = outgoing
        self.asking = asking
        self.answer: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.questions: dict[Any, asyncio.Task[None]] = {}
        self.asked_back = 0
        self.time = TimeLimit(asking.seconds, loop)

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
        self.time.hold()

    def release_clock(self) -> None:
        """Let the time go on, if no other question is open."""
        if not self.questions:
            self.time.go_on()

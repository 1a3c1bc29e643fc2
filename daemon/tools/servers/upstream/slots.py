"""A request that is under way."""

import asyncio
from typing import Any

from daemon.base.interruption import Interruption
from daemon.tools.servers.upstream.seam import Asking, UpstreamError
from daemon.tools.servers.upstream.transport import Outgoing


class Slot:
    """Waits for one answer, and knows what the server asked back meanwhile.

    While a question of the server's is open, the time of the request stands still: it is people who take their time.
    """

    __slots__ = ("answer", "asked_back", "asking", "outgoing", "questions", "time")

    def __init__(self, outgoing: Outgoing, asking: Asking) -> None:
        self.outgoing = outgoing
        self.asking = asking
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.questions: dict[Any, asyncio.Task[None]] = {}
        self.asked_back = 0
        self.time = Interruption(seconds=asking.seconds)

    def fail(self, problem: UpstreamError) -> None:
        """Tell whoever waits that no answer will come; after an answer it changes nothing."""
        if not self.answer.done():
            self.answer.set_exception(problem)
            self.answer.exception()  # whoever waited may have left; then nobody else looks at it

    def release_clock(self) -> None:
        """Let the time go on, if no other question is open."""
        if not self.questions:
            self.time.go_on()

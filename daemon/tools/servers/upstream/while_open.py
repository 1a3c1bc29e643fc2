"""Answers of people, for a server that may end while they think.

In the modern era no request is under way while a question is open, so nothing else notices that the server is gone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from daemon.tools.servers.upstream.seam import Answers, Message, Trouble, UpstreamError


@dataclass(frozen=True, slots=True)
class AnswersWhileOpen:
    """Asks on for as long as the connection is there."""

    answers: Answers
    gone: asyncio.Event
    server: str

    @property
    def capabilities(self) -> Message:
        """Return what can be answered."""
        return self.answers.capabilities

    def together(self, others: Sequence[Answers]) -> Answers | None:  # noqa: ARG002 - so it is asked
        """Return None: in this era a question comes in the result of its own request."""
        return None

    async def answer(self, method: str, params: Message, name: str = "") -> Message:
        """Return the answer; raise UpstreamError if the server is gone first, and then ask nobody any longer."""
        answering = asyncio.ensure_future(self.answers.answer(method, params, name))
        going = asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait((answering, going), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            # It had the request, and may have done a part of it before it asked.
            raise UpstreamError(Trouble.LOST, f"{self.server} ended while it waited for an answer.")
        finally:
            going.cancel()
            answering.cancel()

"""What a server of the handshake era asks back: who answers it, and how much of it there may be."""

import asyncio
from collections.abc import Mapping
from typing import Any

from daemon.base.tasks import TaskSet
from daemon.tools.servers.upstream import messages
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.oddities import Oddities
from daemon.tools.servers.upstream.seam import Answers, Message, UpstreamError
from daemon.tools.servers.upstream.slots import Slot
from daemon.tools.servers.upstream.transport import Outgoing, Transport

_ALWAYS = "roots/list"
"""The one question that a server may ask while no request is under way; people are asked only during a request."""
METHODS = frozenset({"elicitation/create", "sampling/createMessage", _ALWAYS})


class Questions:
    """Answers requests that come from the server.

    Over one pipe, a question does not say to which call it belongs. It goes to the answerer of the calls under way if
    they all have the same one, and otherwise to the answerer of the connection: never to that of another session.
    """

    def __init__(
        self,
        transport: Transport,
        slots: Mapping[int, Slot],
        *,
        limits: Limits,
        answers: Answers | None,
        oddities: Oddities,
    ) -> None:
        self._transport = transport
        self._slots = slots
        self._limits = limits
        self._answers = answers
        self._oddities = oddities
        self._tasks = TaskSet()
        self._open: dict[Any, asyncio.Task[None]] = {}
        self.era_allows = True
        """Servers of the modern era ask in their results, and must not send requests."""

    def take(self, number: Any, method: str, params: Message, request: int | None) -> None:
        """Take one request of the server's."""
        if not isinstance(number, str | int) or number in self._open:
            self._oddities.note("it asked with an id that cannot be used")
        elif method == "ping":
            self._send(messages.answer(number, {}))
        elif method not in METHODS or not self.era_allows:
            self._refuse(number, f"{method} is not answered here.", code=messages.METHOD_NOT_FOUND)
        else:
            self._begin(number, method, params, request)

    def call_off(self, number: Any) -> None:
        """Drop a question that the server does not need answered any more."""
        task = self._open.get(number) if isinstance(number, str | int) else None
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Drop every question."""
        await self._tasks.close()

    def _begin(self, number: Any, method: str, params: Message, request: int | None) -> None:
        slot, answers = self._answerer(request)
        if answers is None:
            self._refuse(number, f"Nobody here answers {method}.", code=messages.METHOD_NOT_FOUND)
            return
        charged = [slot] if slot is not None else list(self._slots.values())
        if method != _ALWAYS and not charged:
            self._refuse(number, "Nothing is under way that this could be asked for.")
            return
        if len(self._open) >= self._limits.open_questions or any(
            each.asked_back >= self._limits.questions for each in charged
        ):
            self._oddities.note("it asked back too often")
            self._refuse(number, "Too many questions were asked; go on without an answer.")
            return
        for each in charged:
            each.asked_back += 1
        task = self._tasks.start(self._answer(number, method, params, answers), name="server-question")
        self._open[number] = task
        if slot is not None:
            slot.questions[number] = task
            slot.hold_clock()

        def closed(_: "asyncio.Task[None]") -> None:
            # Not in the task itself, which does not run at all if it is cancelled at once.
            self._open.pop(number, None)
            if slot is not None:
                slot.questions.pop(number, None)
                slot.release_clock()

        task.add_done_callback(closed)

    def _answerer(self, request: int | None) -> tuple[Slot | None, Answers | None]:
        if request is not None and (slot := self._slots.get(request)) is not None:
            return slot, slot.asking.answers or self._answers
        asking = [slot for slot in self._slots.values() if slot.asking.answers is not None]
        if len(asking) == 1 and len(self._slots) == 1:
            return asking[0], asking[0].asking.answers
        if asking and all(slot.asking.answers is asking[0].asking.answers for slot in self._slots.values()):
            return None, asking[0].asking.answers
        return None, self._answers

    async def _answer(self, number: Any, method: str, params: Message, answers: Answers) -> None:
        try:
            result = await answers.answer(method, params)
        except UpstreamError as problem:
            self._refuse(number, problem.message, code=problem.code or messages.INTERNAL_ERROR)
        except Exception:
            self._refuse(number, "The question could not be answered.")
            raise
        else:
            self._send(messages.answer(number, result))

    def _refuse(self, number: Any, why: str, code: int = messages.INTERNAL_ERROR) -> None:
        self._send(messages.refusal(number, code, why))

    def _send(self, message: Mapping[str, Any]) -> None:
        self._transport.send_soon(Outgoing(message))

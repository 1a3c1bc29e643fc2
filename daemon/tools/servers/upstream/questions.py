"""What a server of the handshake era asks back: who answers it, and how much of it there may be."""

import asyncio
from collections.abc import Mapping, Sequence
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
ASKS_BACK = frozenset({"tools/call", "prompts/get", "resources/read"})
"""The requests during which a server may ask people."""
METHODS = frozenset({"elicitation/create", "sampling/createMessage", _ALWAYS})


class Questions:
    """Answers requests that come from the server.

    Over one pipe, a question does not say to which call it belongs. It goes to the answerer of the calls under way if
    they all have the same one, or to one who answers for all of them together; otherwise to the answerer of the
    connection, and never to that of another session. If no call under way has an answerer, nobody is asked.
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

    def over(self, slot: Slot) -> None:
        """Drop what was asked for a request that is over, unless it may have been asked for another one."""
        for number, task in slot.questions.items():
            if not any(number in other.questions for other in self._slots.values()):
                task.cancel()

    def _begin(self, number: Any, method: str, params: Message, request: int | None) -> None:
        slots = self._asked_for(request)
        answers = self._answerer(method, slots)
        if answers is None:
            self._refuse(number, f"Nobody here answers {method}.", code=messages.METHOD_NOT_FOUND)
            return
        if len(self._open) >= self._limits.open_questions or any(
            slot.asked_back >= self._limits.questions for slot in slots
        ):
            self._oddities.note("it asked back too often")
            self._refuse(number, "Too many questions were asked; go on without an answer.")
            return
        task = self._tasks.start(self._answer(number, method, params, answers), name="server-question")
        self._open[number] = task
        for slot in slots:
            slot.asked_back += 1
            slot.questions[number] = task
            slot.time.hold()

        def closed(_: "asyncio.Task[None]") -> None:
            # Not in the task itself, which does not run at all if it is cancelled at once.
            self._open.pop(number, None)
            for slot in slots:
                slot.questions.pop(number, None)
                slot.release_clock()

        task.add_done_callback(closed)

    def _asked_for(self, request: int | None) -> list[Slot]:
        """Return the requests that a question may belong to."""
        if request is not None and (slot := self._slots.get(request)) is not None:
            return [slot]
        return [slot for slot in self._slots.values() if slot.outgoing.message.get("method") in ASKS_BACK]

    def _answerer(self, method: str, slots: Sequence[Slot]) -> Answers | None:
        if method == _ALWAYS:
            return self._answers  # it is about the connection in this era, whatever is under way
        found = [slot.asking.answers for slot in slots]
        known = [answers for answers in found if answers is not None]
        if not known:
            return None
        first, *others = known
        if len(known) < len(found):
            return self._answers
        return first if all(each is first for each in others) else first.together(others) or self._answers

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

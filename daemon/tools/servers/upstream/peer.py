"""JSON-RPC with one server: every request gets one answer or one error, whatever the server does."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from daemon.base.interruption import InterruptedPartError
from daemon.tools.servers.upstream import messages, speaking
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.oddities import Oddities
from daemon.tools.servers.upstream.questions import Questions
from daemon.tools.servers.upstream.seam import (
    Answers,
    Asking,
    Era,
    Hello,
    Message,
    Notices,
    Trouble,
    UpstreamError,
)
from daemon.tools.servers.upstream.slots import Slot
from daemon.tools.servers.upstream.transport import Outgoing, Transport

_REMEMBERED = 256
_LONGEST_MESSAGE = 4000
_NEVER_CALLED_OFF = frozenset({"initialize", "server/discover"})


class Peer:
    """Sends requests and finds their answers again. What nobody asked for is counted, and otherwise ignored."""

    def __init__(
        self, transport: Transport, *, name: str, limits: Limits, notices: Notices, answers: Answers | None
    ) -> None:
        self.oddities = Oddities(name)
        self._name = name
        self._transport = transport
        self._notices = notices
        self._slots: dict[int, Slot] = {}
        self._abandoned: deque[int] = deque(maxlen=_REMEMBERED)
        """Requests that nobody waits for any more: their answers may still come, and are no fault of the server's."""
        self._last_id = 0
        self.gone = asyncio.Event()
        """Set when the connection has ended, in whatever way."""
        self._questions = Questions(transport, self._slots, limits=limits, answers=answers, oddities=self.oddities)

    @property
    def is_open(self) -> bool:
        """Say whether a request can still be made."""
        return self._transport.is_open

    @property
    def has_headers(self) -> bool:
        """Say whether headers go with a request."""
        return self._transport.has_headers

    def agreed(self, hello: Hello) -> None:
        """Take what was agreed with the server."""
        self._questions.era_allows = hello.era is Era.HANDSHAKE
        self._transport.agreed(hello)

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        asking: Asking,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Make one request and return its result; raises UpstreamError.

        A request that is given up, by time or because the caller is cancelled, is called off at the server.
        """
        self._last_id += 1
        number = self._last_id
        if asking.progress is not None:
            params = {**params, "_meta": {**params.get("_meta", {}), "progressToken": number}}
        outgoing = Outgoing(messages.request(number, method, params), number, headers or {})
        slot = self._slots[number] = Slot(outgoing, asking)
        try:
            with slot.time:
                await self._transport.carry(outgoing)
                return await slot.answer
        except InterruptedPartError as error:
            self._call_off(outgoing, method, "it took too long")
            raise self._too_slow(asking.seconds, outgoing) from error
        except asyncio.CancelledError:
            self._call_off(outgoing, method, "it is not needed any more")
            raise
        finally:
            del self._slots[number]
            if slot.questions:
                self._questions.over(slot)

    async def tell(self, method: str, headers: Mapping[str, str] | None = None) -> None:
        """Send a notification; raises UpstreamError."""
        await self._transport.carry(Outgoing(messages.notification(method), None, headers or {}))

    async def close(self) -> None:
        """End every request that is under way, and the connection."""
        self.ended(f"The connection to {self._name} was closed.")
        await self._questions.close()
        await self._transport.close()

    # What the transport calls.

    def received(self, message: Message, request: int | None = None) -> bool:
        """Take one message; return whether it was the answer to a request."""
        method = message.get("method")
        if method is None:
            return self._answered(message, request)
        params = message.get("params")
        if not isinstance(method, str) or not isinstance(params, dict | None):
            self.oddities.note("it sent a message that is none")
        elif "id" in message:
            self._questions.take(message["id"], method, params or {}, request)
        else:
            self._noticed(method, params or {}, request)
        return False

    def unreadable(self, what: str, request: int | None = None) -> None:
        """Note it; a request that it seems to answer fails at once, instead of waiting for another answer."""
        self.oddities.note(what)
        if request is not None and (slot := self._slots.get(request)) is not None:
            slot.fail(UpstreamError(Trouble.MALFORMED, f"The answer of {self._name} cannot be used: {what}."))

    def ended(self, why: str) -> None:
        """Fail every request that is under way."""
        self.gone.set()
        for slot in self._slots.values():
            trouble = Trouble.LOST if slot.outgoing.left else Trouble.NOT_REACHED
            slot.fail(UpstreamError(trouble, f"{why} No answer came."))

    def _answered(self, message: Message, request: int | None) -> bool:
        number = message.get("id")
        if number is None and request is not None and "error" in message:
            number = request  # the server refused before it had read the id
        slot = self._slots.get(number) if type(number) is int else None
        if slot is None or slot.answer.done() or (request is not None and number != request):
            if number not in self._abandoned:
                self.oddities.note("it answered what was not asked, or answered twice")
            return False
        error, result = message.get("error"), message.get("result")
        if isinstance(result, dict) and error is None:
            slot.answer.set_result(result)
        elif isinstance(error, dict):
            slot.fail(_refused(error))
        else:
            slot.fail(UpstreamError(Trouble.MALFORMED, f"{self._name} answered with neither a result nor an error."))
        return True

    def _noticed(self, method: str, params: Message, request: int | None) -> None:
        if method == "notifications/progress":
            token = params.get("progressToken")
            slot = self._slots.get(token) if type(token) is int else None
            if slot is not None and slot.asking.progress is not None:
                slot.asking.progress({key: value for key, value in params.items() if key != "progressToken"})
        elif method == "notifications/cancelled":
            self._given_up(params.get("requestId"))
        elif method == speaking.METHOD:
            asked_for = None if request is None else self._slots.get(request)
            if (hearer := speaking.hearer(params, asked_for, self._slots.values())) is not None:
                hearer.line(params)
        elif method == "notifications/subscriptions/acknowledged":
            return  # what a server says of a subscription itself concerns nobody else
        else:
            self._notices.notice(method, params)

    def _given_up(self, number: Any) -> None:
        """Take that the server needs no answer any more, or, in the modern era, that it ended one of our requests.

        In the handshake era both sides make requests, and their ids are not the same numbers.
        """
        if self._questions.era_allows:
            self._questions.call_off(number)
        elif type(number) is int and (slot := self._slots.get(number)) is not None:
            slot.fail(UpstreamError(Trouble.LOST, f"{self._name} gave the request up."))

    def _call_off(self, outgoing: Outgoing, method: str, why: str) -> None:
        if outgoing.id is not None:
            self._abandoned.append(outgoing.id)
        if outgoing.left and method not in _NEVER_CALLED_OFF and not self._transport.closing_calls_off:
            params = {"requestId": outgoing.id, "reason": why}
            self._transport.send_soon(Outgoing(messages.notification("notifications/cancelled", params)))

    def _too_slow(self, seconds: float, outgoing: Outgoing) -> UpstreamError:
        if outgoing.left:
            return UpstreamError(Trouble.TIMED_OUT, f"{self._name} did not answer in {seconds:g} s.")
        return UpstreamError(Trouble.NOT_REACHED, f"{self._name} did not take the request in {seconds:g} s.")


def _refused(error: Message) -> UpstreamError:
    code, said = error.get("code"), error.get("message")
    return UpstreamError(
        Trouble.REFUSED,
        said[:_LONGEST_MESSAGE] if isinstance(said, str) and said else "The server refused, and did not say why.",
        code=code if type(code) is int else messages.INTERNAL_ERROR,
        data=error.get("data"),
    )

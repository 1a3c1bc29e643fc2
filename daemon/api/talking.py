"""How a tool that runs reaches who asked for it: what is told, what is asked back, and whether the caller is there.

Nothing that comes this way decides about a call: that was decided before it began.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from daemon.base.once import Once
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.missing import no_such

_MOST_UNREAD = 100
_MOST_OPEN = 16

_MOST_NAME = 200

PROGRESS = "progress"
LOGGED = "logged"
ASKED = "asked"
Event = tuple[str, Mapping[str, Any]]

_CAPABILITIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "elicitation": ("elicitation/create", {"form": "elicitation/create", "url": "elicitation/url"}),
    "sampling": ("sampling/createMessage", {"tools": "sampling/tools", "context": "sampling/context"}),
}
"""Each family of MCP's capabilities: what a caller must have said for it, and for each of its parts."""


class Questions:
    """What tools ask back and nobody has answered yet, by session. A question is gone with the call that it is for."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], asyncio.Future[Mapping[str, Any] | None]] = {}

    def put(self, session: str) -> tuple[str, asyncio.Future[Mapping[str, Any] | None]]:
        """Open a question; return its id, and what becomes its answer. Raises a Failure if too many are open."""
        if sum(owner == session for owner, _ in self._open) >= _MOST_OPEN:
            raise _turned_down(f"{_MOST_OPEN} questions of servers are open in this session; answer these first.")
        question = f"q_{secrets.token_hex(8)}"
        answer: asyncio.Future[Mapping[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._open[session, question] = answer
        answer.add_done_callback(lambda _: self._open.pop((session, question), None))
        return question, answer

    def answer(self, session: str, question: str, result: Mapping[str, Any] | None) -> None:
        """Answer a question of one's own session; None says that one cannot, so that somebody else is asked.

        Raises the Failure of a question that is not there.
        """
        answer = self._open.get((session, question))
        if answer is None or answer.done():
            raise no_such("open question", question)
        answer.set_result(result)


class CallTalk:
    """The talk of one call. It belongs to the event loop's thread."""

    def __init__(
        self, questions: Questions, *, session: str, answers: frozenset[str], log_level: str | None = None
    ) -> None:
        self._questions = questions
        self._session = session
        self._answers = answers
        self.log_level = log_level
        """The lowest level of lines that the caller wants to hear; None for no lines at all."""
        self._lines: deque[Event] = deque(maxlen=_MOST_UNREAD)
        self._unread: deque[Event] = deque(maxlen=_MOST_UNREAD)
        """A caller that does not read loses the oldest progress, and holds up nobody."""
        self._asked: deque[Event] = deque()
        self._woken: Callable[[], None] = lambda: None
        self._cancelled = Once()
        self._let_go = Once()

    @property
    def cancelled(self) -> Once:
        """Return what happens when the caller hangs up."""
        return self._cancelled

    def wake(self, woken: Callable[[], None]) -> None:
        """Call a function each time there is something to read."""
        self._woken = woken

    def progress(self, params: Mapping[str, Any]) -> None:
        """Hear how far the tool is."""
        told = {key: params[key] for key in ("progress", "total", "message") if key in params}
        self._unread.append((PROGRESS, told))
        self._woken()

    def let_go(self) -> None:
        """Stop listening: the call goes on without the caller, and what it was asked last, others are asked."""
        self._let_go.set()

    def hung_up(self) -> None:
        """Call the call off, unless it goes on without the caller."""
        if not self._let_go.is_set():
            self._cancelled.set()

    def log(self, params: Mapping[str, Any]) -> None:
        """Hear a line that the tool writes for the log."""
        self._lines.append((LOGGED, {key: params[key] for key in ("level", "logger", "data") if key in params}))
        self._woken()

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """Return what the caller said that it can answer, in the words of MCP."""
        return {
            family: {part: {} for part, said in parts.items() if said in self._answers}
            for family, (needed, parts) in _CAPABILITIES.items()
            if needed in self._answers
        }

    async def answer(self, method: str, params: Mapping[str, Any], name: str = "") -> Mapping[str, Any] | None:
        """Have the caller answer what the tool asks back; None if it did not say that it can, or cannot this time."""
        if not self._can_answer(method, params) or self._let_go.is_set():
            return None
        question, answer = self._questions.put(self._session)
        said = {"id": question, "method": method, "params": params, "name": name[:_MOST_NAME]}
        self._asked.append((ASKED, said))
        self._woken()
        gone = asyncio.ensure_future(self._cancelled.wait())
        let_go = asyncio.ensure_future(self._let_go.wait())
        try:
            await asyncio.wait((answer, gone, let_go), return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if let_go.done():
                return None
            raise _turned_down("Who asked for the call has hung up.")
        finally:
            gone.cancel()
            let_go.cancel()
            answer.cancel()

    def _can_answer(self, method: str, params: Mapping[str, Any]) -> bool:
        is_page = method == "elicitation/create" and params.get("mode") == "url"
        return method in self._answers and (not is_page or "elicitation/url" in self._answers)

    @property
    def has_news(self) -> bool:
        """Say whether there is something to read."""
        return bool(self._lines or self._unread or self._asked)

    def take(self) -> tuple[Event, ...]:
        """Return what was not read yet, and forget it. A question says how many more come right behind it."""
        last = len(self._asked) - 1
        asked = ((event, {**said, "more": last - at}) for at, (event, said) in enumerate(self._asked))
        taken = (*self._lines, *self._unread, *asked)
        for each in (self._lines, self._unread, self._asked):
            each.clear()
        return taken


def _turned_down(message: str) -> Failure:
    return Failure(FailureClass.CAPABILITY_DENIED, message, boundary=Boundary.USER)

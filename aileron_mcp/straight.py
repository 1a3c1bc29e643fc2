"""The straight way of a call: from its line to the daemon, and back to a line, past the library.

The library takes about half a millisecond for each request, which is more than all else of a call. It still opens
the connection, and handles everything but ordinary calls of the older era.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data

from aileron_mcp.asking import Answer, Asked, answers_of
from aileron_mcp.calling import Calls
from aileron_mcp.lines import encode
from aileron_mcp.ordinary import OrdinaryCall
from aileron_mcp.results import error_line, result_line
from aileron_mcp.rounds import Rounds

_log = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[None]]
"""Writes a line to the agent."""


class Manner(NamedTuple):
    """How the calls of an agent are made and answered, by what it has said of itself."""

    session: ServerSession
    version: str
    answers: tuple[str, ...]
    log_level: str | None


class StraightWay:
    """Makes ordinary calls for the agent at the other end of the pipe."""

    def __init__(self, calls: Calls, rounds: Rounds, session: Callable[[], ServerSession | None]) -> None:
        self.calls = calls
        self.rounds = rounds
        self._session = session
        self._manner: Manner | None = None

    def manner(self) -> Manner | None:
        """Return how the agent's calls are made, if they may come this way: it is of the older era, and known."""
        if self._manner is None and (session := self._session()) is not None:
            level = self.rounds.level_over_pipe
            self._manner = Manner(session, session.protocol_version, answers_of(session), level)
        return self._manner

    def forget(self) -> None:
        """Find that out anew for the next call, because the agent says something else."""
        self._manner = None


class StraightCall:
    """One call on the straight way. What its agent is told meanwhile is written; `answer` gets the line of the answer.

    Nearly every call of a server's tool is one small request to the daemon and one small answer. It needs no task:
    the request leaves as the line of the call is read, and the answer becomes a line as it comes. A call that is
    anything else goes on in a task, which takes it from where it is.
    """

    def __init__(
        self,
        way: StraightWay,
        manner: Manner,
        call: OrdinaryCall,
        write: Write,
        answer: Callable[["StraightCall", bytes], None],
    ) -> None:
        self.number: types.RequestId = call.id
        """The id of the request."""
        self._way = way
        self._manner = manner
        self._call = call
        self._write = write
        self._answer = answer
        self._task: asyncio.Task[None] | None = None
        self._sent = way.calls.begin(
            call.tool, call.arguments, answers=manner.answers, log_level=manner.log_level, told=self._told
        )
        if self._sent is None:
            self._go_on()

    def call_off(self) -> None:
        """End it. It is not answered any more."""
        if self._task is not None:
            self._task.cancel()
        if self._sent is not None:
            self._sent.hang_up()

    def _told(self) -> None:
        line = None
        try:
            if self._sent is not None:
                reply = self._way.calls.reply_at_once(self._call.tool, self._sent)
                line = None if reply is None else result_line(self.number, reply, self._manner.version)
        except Exception:  # noqa: BLE001 - the task finds the same, and tells it
            _log.debug("an answer was not understood at once", exc_info=True)
        if line is None:
            self._go_on()
        else:
            self._answer(self, line)

    def _go_on(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        call = self._call
        try:
            hearing = self._way.rounds.begin_over_pipe(_Past(self._manner.session, call, self._write))
            reply = await self._way.calls.reply(call.tool, call.arguments, hearing, sent=self._sent)
            line = result_line(self.number, reply, self._manner.version)
        except Exception as problem:  # noqa: BLE001 - a request that fails is answered, whatever failed
            line = self._failed(problem)
        self._answer(self, line)

    def _failed(self, problem: Exception) -> bytes:
        """Return the line of the error that the library would answer with."""
        error = handler_exception_to_error_data(problem)
        if error is None:
            _log.error("a call failed", exc_info=problem)
            error = types.ErrorData(code=0, message=str(problem))
        return error_line(self.number, error)


class _Past:
    """The maker of a call that goes past the library."""

    def __init__(self, session: ServerSession, call: OrdinaryCall, write: Write) -> None:
        self.session = session
        """It is of an earlier request, so what is told with it belongs to the connection; over a pipe that is one."""
        self._call = call
        self._write = write

    async def progress(self, done: float, total: float | None, message: str | None) -> None:
        """Tell how far the call is, if the agent sent a token for that."""
        if self._call.token is None:
            return
        said = {"progressToken": self._call.token, "progress": done, "total": total, "message": message}
        await self._tell("notifications/progress", {name: value for name, value in said.items() if value is not None})

    async def log(self, line: types.LoggingMessageNotificationParams) -> None:
        """Tell a line for the log."""
        await self._tell("notifications/message", line.model_dump(by_alias=True, mode="json", exclude_none=True))

    async def ask(self, request: Asked, form: type[Answer]) -> Answer:
        """Ask something. The library knows which answer belongs to it."""
        return await self.session.send_request(request, form)

    async def _tell(self, method: str, params: dict[str, object]) -> None:
        # Not by the library: what it writes takes another way, and could come after the answer.
        await self._write(encode(types.JSONRPCNotification(jsonrpc="2.0", method=method, params=params)))

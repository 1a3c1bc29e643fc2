"""The straight way of a call: from its line to the daemon, and back to a line, past the library.

The library takes about half a millisecond for each request, which is more than all else of a call. It still opens
the connection, and handles everything but ordinary calls of the older era.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data

from aileron_mcp.asking import Answer, Asked, answers_of
from aileron_mcp.calling import Calls
from aileron_mcp.lines import encode
from aileron_mcp.ordinary import OrdinaryCall
from aileron_mcp.results import error_line, result_line
from aileron_mcp.rounds import Rounds
from aileron_mcp.texts import Reply

_log = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[None]]
"""Writes a line to the agent."""


class StraightWay:
    """Makes ordinary calls for the agent at the other end of the pipe."""

    def __init__(self, calls: Calls, rounds: Rounds, session: Callable[[], ServerSession | None]) -> None:
        self._calls = calls
        self._rounds = rounds
        self._session = session

    @property
    def session(self) -> ServerSession | None:
        """Return the session of the agent, if its calls may come this way: it is of the older era, and known."""
        return self._session()

    def begin(
        self, session: ServerSession, call: OrdinaryCall, write: Write, answer: Callable[["StraightCall", bytes], None]
    ) -> "StraightCall":
        """Begin a call. What its agent is told meanwhile is written; `answer` gets the line that answers it."""
        return StraightCall(self._calls, self._rounds, session, call, write, answer)


class StraightCall:
    """One call on the straight way.

    Nearly every call of a server's tool is one small request to the daemon and one small answer. It needs no task:
    the request leaves as the line of the call is read, and the answer becomes a line as it comes. A call that is
    anything else goes on in a task, which takes it from where it is.
    """

    def __init__(
        self,
        calls: Calls,
        rounds: Rounds,
        session: ServerSession,
        call: OrdinaryCall,
        write: Write,
        answer: Callable[["StraightCall", bytes], None],
    ) -> None:
        self._calls = calls
        self._call = call
        self._rounds = rounds
        self._session = session
        self._write = write
        self._answer = answer
        self._task: asyncio.Task[None] | None = None
        self._sent = calls.begin(
            call.tool, call.arguments, answers=answers_of(session), log_level=rounds.level_over_pipe
        )
        if self._sent is None:
            self._go_on()
        else:
            self._sent.when_told(self._told)

    @property
    def number(self) -> types.RequestId:
        """Return the id of the request."""
        return self._call.id

    def call_off(self) -> None:
        """End it. It is not answered any more."""
        if self._task is not None:
            self._task.cancel()
        if self._sent is not None:
            self._sent.hang_up()

    def _told(self) -> None:
        reply = None
        try:
            if self._sent is not None:
                reply = self._calls.reply_at_once(self._call.tool, self._sent)
        except Exception:  # noqa: BLE001 - the task finds the same, and tells it
            _log.debug("an answer was not understood at once", exc_info=True)
        if reply is None:
            self._go_on()
        else:
            self._answer(self, self._line(reply))

    def _go_on(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        call = self._call
        try:
            hearing = self._rounds.begin_over_pipe(_Past(self._session, call, self._write))
            line = self._line(await self._calls.reply(call.tool, call.arguments, hearing, sent=self._sent))
        except Exception as problem:  # noqa: BLE001 - a request that fails is answered, whatever failed
            line = self._failed(problem)
        self._answer(self, line)

    def _line(self, reply: Reply) -> bytes:
        try:
            return result_line(self._call.id, reply, self._session.protocol_version)
        except Exception as problem:  # noqa: BLE001 - the same
            return self._failed(problem)

    def _failed(self, problem: Exception) -> bytes:
        """Return the line of the error that the library would answer with."""
        error = handler_exception_to_error_data(problem)
        if error is None:
            _log.error("a call failed", exc_info=problem)
            error = types.ErrorData(code=0, message=str(problem))
        return error_line(self._call.id, error)


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

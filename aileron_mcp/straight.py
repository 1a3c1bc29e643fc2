"""The straight way of a call: from its line to the daemon, and back to a line, past the library.

The library takes about half a millisecond for each request, which is more than all else of a call. It still opens
the connection, and handles everything but ordinary calls of the older era.
"""

import logging
from collections.abc import Awaitable, Callable

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data

from aileron_mcp.asking import Answer, Asked
from aileron_mcp.calling import Calls
from aileron_mcp.lines import encode
from aileron_mcp.ordinary import OrdinaryCall
from aileron_mcp.results import error_line, result_line
from aileron_mcp.rounds import Rounds

_log = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[None]]
"""Writes a line to the agent."""


class StraightWay:
    """Answers ordinary calls of the agent at the other end of the pipe."""

    def __init__(self, calls: Calls, rounds: Rounds, session: Callable[[], ServerSession | None]) -> None:
        self._calls = calls
        self._rounds = rounds
        self._session = session

    @property
    def session(self) -> ServerSession | None:
        """Return the session of the agent, if its calls may come this way: it is of the older era, and known."""
        return self._session()

    async def answer(self, session: ServerSession, call: OrdinaryCall, write: Write) -> bytes:
        """Return the line that answers a call. What its agent is told meanwhile is written before."""
        try:
            round_ = self._rounds.begin_over_pipe(_Past(session, call, write))
            reply = await self._calls.reply(call.tool, call.arguments, round_)
            return result_line(call.id, reply, session.protocol_version)
        except Exception as problem:  # noqa: BLE001 - a request that fails is answered, whatever failed
            return error_line(call.id, _error_of(problem))


def _error_of(problem: Exception) -> types.ErrorData:
    """Return the error that the library would answer with."""
    error = handler_exception_to_error_data(problem)
    if error is None:
        _log.error("a call failed", exc_info=problem)
        error = types.ErrorData(code=0, message=str(problem))
    return error


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

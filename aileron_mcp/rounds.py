"""What a server asks back while a call runs, put to the agent: by a request, or in the newer era by an answer.

In the newer era no server sends requests. A call whose server asks back is answered with the question; the agent makes
the call again with the answer. Until then the call waits here: few at a time, not for ever, and gone with this server.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from aileron_mcp.agents import Context, PerConnection
from aileron_mcp.asking import Asked, answers_of, fits, request_of, result_of, written
from aileron_mcp.callers import ByLibrary, Caller

R = TypeVar("R")

_MOST_PARKED = 16
_PARKED_SECONDS = 600.0
_LEVELS: tuple[str, ...] = get_args(types.LoggingLevel)
_LEVEL = "io.modelcontextprotocol/logLevel"


@dataclass
class Round:
    """One call under way: hears of it, and puts to the agent what its server asks back."""

    caller: Caller
    """Who made the request that is being answered: the first one, or the one that brought the last answers."""
    log_level: str | None = None
    """The lowest level of lines for the log that the agent wants to hear; None for no lines at all."""
    given: dict[str, Any] = field(default_factory=dict)
    """Answers that came with the first request, for questions that the agent expects."""
    open: dict[str, tuple[Asked, asyncio.Future[Mapping[str, Any]]]] = field(default_factory=dict)
    asked_now: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0

    @property
    def answers(self) -> tuple[str, ...]:
        """Return what the agent can answer."""
        return answers_of(self.caller.session)

    async def progress(self, params: Mapping[str, Any]) -> None:
        """Hand on how far the tool is. Says nothing unless the client sent a token for it."""
        done, total, message = params.get("progress"), params.get("total"), params.get("message")
        if isinstance(done, int | float):
            with contextlib.suppress(Exception):  # the agent may have gone, which its reader will notice
                await self.caller.progress(
                    done,
                    total if isinstance(total, int | float) else None,
                    message if isinstance(message, str) else None,
                )

    async def logged(self, params: Mapping[str, Any]) -> None:
        """Hand on a line that the tool writes for the log."""
        with contextlib.suppress(Exception):  # it is no line of the protocol, or the agent may have gone
            await self.caller.log(types.LoggingMessageNotificationParams.model_validate(params))

    async def asked(self, method: str, params: Mapping[str, Any], name: str, more: int) -> Mapping[str, Any] | None:
        """Ask the agent; None if it cannot be asked that, or turns it down. `more` questions come right behind it."""
        request = request_of(self.caller.session, method, params)
        if self.caller.session.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return await self._put(request, name, last=more == 0)
        if request is None:
            return None
        try:
            result = await self.caller.ask(request, result_of(request))
        except (MCPError, ValidationError):
            return None
        return written(result)

    async def _put(self, request: Asked | None, name: str, *, last: bool) -> Mapping[str, Any] | None:
        """Wait until a repeated request brings the answer. The agent is told of all when the last has come."""
        self.number += 1
        key = name if name and name not in self.open else f"question-{self.number}"
        beforehand: Any = self.given.pop(key, None)
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        answered = request is not None and fits(beforehand, request)
        if answered:
            answer.set_result(written(beforehand))
        elif request is not None:
            self.open[key] = request, answer
        if last and self.open:
            self.asked_now.set()
        if request is None:
            return None
        try:
            return await answer
        finally:
            self.open.pop(key, None)

    def take(self, responses: Mapping[str, Any] | None) -> None:
        """Take the answers that a repeated call brings; what is missing is asked again."""
        for key, (request, answer) in list(self.open.items()):
            given = (responses or {}).get(key)
            if fits(given, request) and not answer.done():
                answer.set_result(written(given))
                del self.open[key]
        if not self.open:
            self.asked_now.clear()


@dataclass(frozen=True, slots=True)
class _Parked:
    call: Round
    task: "asyncio.Task[Any]"
    asked_for: Any
    ending: asyncio.TimerHandle


class Rounds:
    """The calls of one agent that wait for its answers."""

    def __init__(self) -> None:
        self._parked: dict[str, _Parked] = {}
        self.levels: PerConnection[str] = PerConnection()
        """What agents of the older era said that they want to hear of the log."""

    def begin(self, ctx: Context, given: Mapping[str, Any] | None = None) -> Round:
        """Return a new call, for a request that nothing went before."""
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            level = (ctx.meta or {}).get(_LEVEL)
        else:
            level = self.levels.of(ctx)
        return Round(ByLibrary(ctx), log_level=_known(level), given=dict(given or {}))

    def begin_over_pipe(self, caller: Caller) -> Round:
        """Return a new call of the older era, for a request over the pipe that goes past the library."""
        return Round(caller, log_level=self.level_over_pipe)

    @property
    def level_over_pipe(self) -> str | None:
        """Return the lowest level of lines for the log that an agent of the older era over the pipe wants to hear."""
        return _known(self.levels.of_pipe())

    async def run(
        self, ctx: Context, params: types.InputResponseRequestParams, work: Callable[[Round], Awaitable[R]]
    ) -> R | types.InputRequiredResult:
        """Do a piece of work, or go on with the one that a repeated request means. Being cancelled ends it."""
        if params.request_state is None:
            call = self.begin(ctx, params.input_responses)
            if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
                return await work(call)  # what is asked back is a request of its own
            task: asyncio.Task[R] = asyncio.ensure_future(_awaited(work(call)))
        else:
            parked = self._taken(params)
            call, task = parked.call, parked.task
            call.caller = ByLibrary(ctx)
            call.take(params.input_responses)
        asked = asyncio.ensure_future(call.asked_now.wait())
        try:
            await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return self._park(call, task, params)
            return task.result()
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            asked.cancel()

    def close(self) -> None:
        """End the calls that wait."""
        for state in list(self._parked):
            self._parked[state].ending.cancel()
            self._over(state)

    def _park(
        self, call: Round, task: "asyncio.Task[Any]", params: types.InputResponseRequestParams
    ) -> types.InputRequiredResult:
        if len(self._parked) >= _MOST_PARKED:
            task.cancel()
            raise MCPError(
                types.INTERNAL_ERROR,
                f"{_MOST_PARKED} calls wait for answers of this agent already; this one was ended. It may have begun.",
            )
        state = secrets.token_hex(16)
        ending = asyncio.get_running_loop().call_later(_PARKED_SECONDS, self._over, state)
        self._parked[state] = _Parked(call, task, _asked_for(params), ending)
        return types.InputRequiredResult(
            input_requests={key: request for key, (request, _) in call.open.items()}, request_state=state
        )

    def _taken(self, params: types.InputResponseRequestParams) -> _Parked:
        state = params.request_state or ""
        parked = self._parked.get(state)
        if parked is None or parked.asked_for != _asked_for(params):
            raise MCPError(
                types.INVALID_PARAMS,
                "No call waits for this answer: it is over, or was another one. It may have had an effect: look first.",
            )
        del self._parked[state]
        parked.ending.cancel()
        return parked

    def _over(self, state: str) -> None:
        parked = self._parked.pop(state, None)
        if parked is not None:
            parked.task.cancel()


def _known(level: Any) -> str | None:
    return level if isinstance(level, str) and level in _LEVELS else None


async def _awaited(work: Awaitable[R]) -> R:
    return await work


def _asked_for(params: types.InputResponseRequestParams) -> Any:
    kept = params.model_dump(by_alias=True, exclude={"input_responses", "request_state", "meta"})
    return type(params), kept

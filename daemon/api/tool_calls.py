"""The one route of the agent API that nearly every request is for: the call of a tool.

It is written as an app of its own, so that no more stands around it than it needs: `AgentApp` leads a call straight to
it, and everything else to the routes of the framework, among which it stands, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.api.answers import CallBody, call_answer
from daemon.api.bodies import read_body
from daemon.api.capabilities import claims_in
from daemon.api.envelopes import as_failure, failure_response
from daemon.api.principals import who_in
from daemon.api.streamed import MEDIA_TYPE, CallStream
from daemon.api.talking import CallTalk, Questions
from daemon.core.tools import ToolCall
from daemon.execution.executor import Executor
from daemon.execution.requests import RunRequest
from daemon.execution.toolbox import Toolbox
from daemon.execution.under_way import UnderWay
from daemon.sessions.tokens import Capability

MOST_NAME = 200
_BODY = TypeAdapter(CallBody)
_BEFORE, _BEHIND = "/v1/tools/", "/call"
CALL_PATH = f"{_BEFORE}{{name}}{_BEHIND}"


@dataclass(frozen=True, slots=True)
class _Answering:
    """A call that is under way, and how its answer looks."""

    call: UnderWay
    control_url: str

    @property
    def has_answer(self) -> bool:
        """Say whether there is an answer."""
        return self.call.has_answer

    def answer(self) -> JSONResponse:
        """Return it, or raise the Failure that the call ended with."""
        return call_answer(self.call.answer(), control_url=self.control_url)


class ToolCalls:
    """Calls a tool of any kind by the name that agents call it by; as a stream to whoever asks for one."""

    def __init__(self, *, tools: Toolbox, executor: Executor, questions: Questions, control_url: str) -> None:
        self._tools = tools
        self._executor = executor
        self._questions = questions
        self._control_url = control_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(scope, receive)
        except Exception as problem:  # noqa: BLE001 - what is no known problem is raised again
            answer = failure_response(as_failure(problem))
        if answer is not None:
            await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp | None:
        claims, who = claims_in(scope, Capability.RUN_ACTIONS), who_in(scope)
        tool = await self._tools.find(scope["path_params"]["name"][:MOST_NAME], who)
        raw = await _whole(receive)
        if raw is None:
            return None
        body = read_body(_BODY, raw)
        call = ToolCall(principal=who, session=claims.session, tool=tool, arguments=body.arguments)
        if not _takes_a_stream(scope):
            return call_answer(await self._executor.run(RunRequest(call=call)), control_url=self._control_url)
        talk = CallTalk(self._questions, session=claims.session, answers=frozenset(body.answers), log_level=body.log)
        asked = RunRequest(call=call, asker=talk)
        return CallStream(talk, lambda wake: _Answering(self._executor.start(asked, wake), self._control_url))


class AgentApp(Starlette):
    """The agent API, with a short way to the calls of tools."""

    def __init__(self, *, calls: ToolCalls, on_bug: Callable[..., Any], **rest: Any) -> None:
        super().__init__(**rest)
        self._calls = ServerErrorMiddleware(calls, handler=on_bug)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one that is not plainly a call takes the framework's way, which may find that it is."""
        name = _called(scope)
        if name is None:
            await super().__call__(scope, receive, send)
            return
        scope["endpoint"], scope["path_params"] = self._calls, {"name": name}  # as the framework notes what it found
        await self._calls(scope, receive, send)


def _called(scope: Scope) -> str | None:
    """Return the name of the tool that a request calls."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["root_path"]:
        return None
    path: str = scope["path"]
    if not path.startswith(_BEFORE) or not path.endswith(_BEHIND):
        return None
    name = path[len(_BEFORE) : -len(_BEHIND)]
    return name if name and "/" not in name else None


def _takes_a_stream(scope: Scope) -> bool:
    return any(name == b"accept" and MEDIA_TYPE.encode() in value for name, value in scope["headers"])


async def _whole(receive: Receive) -> bytes | None:
    """Return the body of a request; None if its sender hung up before the end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)

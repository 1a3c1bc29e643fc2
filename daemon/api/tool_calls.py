"""The one route of the agent API that nearly every request is for: the call of a tool.

It is written as an app of its own, so that no more stands around it than it needs: `AgentApp` leads a call straight to
it, and everything else to the routes of the framework, among which it stands, too.
"""

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.api.answers import CallBody, call_answer, finished_body
from daemon.api.bodies import read_body
from daemon.api.capabilities import claims_in
from daemon.api.envelopes import as_failure, failure_response
from daemon.api.principals import who_in
from daemon.api.streamed import MEDIA_TYPE, CallStream
from daemon.api.talking import CallTalk, Questions
from daemon.api.whole_calls import PlainlyAnswering, WholeCall
from daemon.base.whole import Reply, Taken, Whole
from daemon.core.principal import Principal
from daemon.core.tools import ToolCall
from daemon.execution.executor import Executor
from daemon.execution.requests import RunRequest
from daemon.execution.toolbox import Toolbox
from daemon.execution.under_way import UnderWay
from daemon.sessions.tokens import Capability, TokenClaims

MOST_NAME = 200
_BODY = TypeAdapter(CallBody)
_STREAM = MEDIA_TYPE.encode()
_BEFORE, _BEHIND = "/v1/tools/", "/call"
CALL_PATH = f"{_BEFORE}{{name}}{_BEHIND}"


Around = Callable[[ASGIApp], ASGIApp]
"""Puts around an app what stands in front of it on its way through ASGI."""
Admit = Callable[[ASGIApp, Scope, Receive, Send], Coroutine[Any, Any, None]]


class TakesCalls(Protocol):
    """What takes the calls that a door has let in."""

    def take(self, request: Whole, reply: Reply, *, claims: TokenClaims, who: Principal, admit: Admit) -> Taken | None:
        """Begin a call that came in one piece; `admit` is what the door does before an app gets a request."""
        ...


@dataclass(frozen=True, slots=True)
class _Answering:
    """A call that is under way, and how its answer looks."""

    call: UnderWay
    control_url: str

    @property
    def has_answer(self) -> bool:
        """Say whether there is an answer."""
        return self.call.has_answer

    def plain(self) -> bytes | None:
        """Return the body of the answer with status 200, if there is one."""
        finished = self.call.finished
        return None if finished is None else finished_body(finished)

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
        if not _takes_a_stream(scope["headers"]):
            return call_answer(await self._executor.run(RunRequest(call=call)), control_url=self._control_url)
        return CallStream(*self._talked_of(call, body))

    def take(
        self, name: str, request: Whole, reply: Reply, *, claims: TokenClaims, who: Principal, around: Around
    ) -> Taken | None:
        """Begin a call that came in one piece; leave one alone that there is anything to say against."""
        tool = self._tools.named(name)
        if tool is None or Capability.RUN_ACTIONS not in claims.capabilities or not _takes_a_stream(request.headers):
            return None
        try:
            body = _BODY.validate_json(request.body)
        except ValidationError:
            return None
        call = ToolCall(principal=who, session=claims.session, tool=tool, arguments=body.arguments)
        return WholeCall(*self._talked_of(call, body), reply, around=around)

    def _talked_of(
        self, call: ToolCall, body: CallBody
    ) -> tuple[CallTalk, Callable[[Callable[[], None]], PlainlyAnswering]]:
        """Return the talk of a call with who asks for it, and what begins the call."""
        talk = CallTalk(self._questions, session=call.session, answers=frozenset(body.answers), log_level=body.log)
        asked = RunRequest(call=call, asker=talk)
        return talk, lambda wake: _Answering(self._executor.start(asked, wake), self._control_url)


class AgentApp(Starlette):
    """The agent API, with a short way to the calls of tools."""

    def __init__(self, *, calls: ToolCalls, on_bug: Callable[..., Any], **rest: Any) -> None:
        super().__init__(**rest)
        self._tool_calls = calls
        self._on_bug = on_bug
        self._calls = ServerErrorMiddleware(calls, handler=on_bug)

    def take(self, request: Whole, reply: Reply, *, claims: TokenClaims, who: Principal, admit: Admit) -> Taken | None:
        """Begin a call that came in one piece; `admit` is what the door does before an app gets a request."""
        name = _name_in(request.target.decode("ascii"))
        if name is None:
            return None

        def around(stream: ASGIApp) -> ASGIApp:
            return partial(admit, partial(self._go_on, stream))

        return self._tool_calls.take(name, request, reply, claims=claims, who=who, around=around)

    async def _go_on(self, stream: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        scope["endpoint"] = self._calls
        await ServerErrorMiddleware(stream, handler=self._on_bug)(scope, receive, send)

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
    return _name_in(scope["path"])


def _name_in(path: str) -> str | None:
    if not path.startswith(_BEFORE) or not path.endswith(_BEHIND):
        return None
    name = path[len(_BEFORE) : -len(_BEHIND)]
    return name if name and "/" not in name else None


def _takes_a_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:  # noqa: SIM110 - `any` would make a generator for each call
        if name == b"accept" and _STREAM in value:
            return True
    return False


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

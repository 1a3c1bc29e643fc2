"""The agent API: what a session token may do, and nothing else; there is no route here that decides anything.

Plain Starlette: these routes carry every run, and a framework that looks at signatures at each request would take a
tenth of one. What they accept is said by the same models in agent_openapi, and a test holds the two together.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.api.agent_openapi import agent_openapi
from daemon.api.answers import (
    MAX_WAIT_SECONDS,
    CallBody,
    QuestionBody,
    RunBody,
    approval_answer,
    call_answer,
    held_answer,
    run_answer,
)
from daemon.api.envelopes import Report, handlers
from daemon.api.events import EventStream, agent_events
from daemon.api.news import News
from daemon.api.paging import cut, part_of
from daemon.api.principals import principal_of
from daemon.api.stopping import Stopping
from daemon.api.streamed import MEDIA_TYPE, CallStream
from daemon.api.surface import Surfaces
from daemon.api.talking import CallTalk, Questions
from daemon.approvals.service import Approvals
from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix, is_id
from daemon.core.tools import ToolCall, ToolId, ToolSpec
from daemon.execution.executor import Executor
from daemon.execution.held import HeldCalls
from daemon.execution.requests import RunRequest
from daemon.execution.toolbox import Toolbox
from daemon.execution.under_way import UnderWay
from daemon.sessions.service import Sessions
from daemon.sessions.tokens import Capability, TokenClaims
from daemon.tools.actions.provider import KIND as ACTION

_RUN_BODY = TypeAdapter(RunBody)
_CALL_BODY = TypeAdapter(CallBody)
_QUESTION_BODY = TypeAdapter(QuestionBody)
_MAX_NAME = 200
_CHANGED = {
    "notifications/resources/list_changed": "resources_changed",
    "notifications/prompts/list_changed": "prompts_changed",
}
T = TypeVar("T")


def claims_for(request: Request, capability: Capability) -> TokenClaims:
    """Return who asks, if the token carries a capability."""
    claims: TokenClaims = request.scope["aileron.claims"]
    if capability not in claims.capabilities:
        raise Failure(
            FailureClass.CAPABILITY_DENIED,
            f"This session's token does not carry {capability.value}.",
            boundary=Boundary.USER,
        )
    return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    tools: Toolbox
    executor: Executor
    held: HeldCalls
    approvals: Approvals
    sessions: Sessions
    stopping: Stopping
    servers: Callable[[], Sequence[Mapping[str, Any]]]
    """Returns the servers whose tools agents may call, and what each offers beside tools, as far as that is known."""
    hear: Callable[[Callable[[str, str], None]], None]
    """Has a listener told what servers say unasked: for which session (empty: for all), and the method."""
    watch: Callable[[Callable[[str, str, str], None]], None]
    """Has a listener told that a resource changed: the session that watches it, the server's prefix, the address."""
    tasks: TaskSet
    control_url: str
    """Where a person decides; answers name it."""


@dataclass(frozen=True, slots=True)
class Answering:
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


class AgentRoutes:
    """The handlers of the agent API."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self._streams: dict[str, set[News]] = {}
        self._questions = Questions()
        uses.sessions.on_end(self._session_ended)
        uses.hear(self._heard)
        uses.watch(self._updated)

    async def health(self, _: Request) -> Response:
        """Say that the daemon is there."""
        return JSONResponse({"status": "ok"})

    async def openapi(self, _: Request) -> Response:
        """Describe this API."""
        return JSONResponse(agent_openapi())

    async def list_actions(self, request: Request) -> Response:
        """Return the actions that can be run, with the schema of their arguments."""
        claims_for(request, Capability.LIST_ACTIONS)
        specs = await self._uses.tools.list(await principal_of(request))
        return _tagged("actions", [_as_action(spec) for spec in specs if spec.tool.kind == ACTION], request)

    async def list_tools(self, request: Request) -> Response:
        """Return the tools of every kind that can be called."""
        claims_for(request, Capability.LIST_ACTIONS)
        specs = await self._uses.tools.list(await principal_of(request))
        return _tagged("tools", [spec.as_json() for spec in specs], request)

    async def run_action(self, request: Request) -> Response:
        """Run an action, or say that a person must decide first."""
        claims = claims_for(request, Capability.RUN_ACTIONS)
        tool = ToolId(ACTION, request.path_params["name"][:_MAX_NAME])
        body = _read(_RUN_BODY, await request.body())
        call = await _call(request, claims, tool, body)
        return run_answer(await self._uses.executor.run(RunRequest(call=call)), control_url=self._uses.control_url)

    async def call_tool(self, request: Request) -> Response | CallStream:
        """Call a tool of any kind by the name that agents call it by; as a stream to whoever asks for one."""
        claims = claims_for(request, Capability.RUN_ACTIONS)
        tool = await self._uses.tools.find(request.path_params["name"][:_MAX_NAME], await principal_of(request))
        body = _read(_CALL_BODY, await request.body())
        call = await _call(request, claims, tool, body)
        uses = self._uses
        if MEDIA_TYPE not in request.headers.get("accept", ""):
            return call_answer(await uses.executor.run(RunRequest(call=call)), control_url=uses.control_url)
        talk = CallTalk(self._questions, session=claims.session, answers=frozenset(body.answers), log_level=body.log)
        asked = RunRequest(call=call, asker=talk)
        return CallStream(talk, lambda wake: Answering(uses.executor.start(asked, wake), uses.control_url))

    async def answer_question(self, request: Request) -> Response:
        """Answer what a tool asks back while a call of this session runs."""
        claims = claims_for(request, Capability.RUN_ACTIONS)
        body = _read(_QUESTION_BODY, await request.body())
        self._questions.answer(claims.session, request.path_params["question_id"][:_MAX_NAME], body.result)
        return JSONResponse({"status": "answered"})

    async def list_servers(self, request: Request) -> Response:
        """Return the servers that can be asked for more than tools."""
        claims_for(request, Capability.LIST_ACTIONS)
        return JSONResponse({"items": list(self._uses.servers())})

    async def approval_result(self, request: Request) -> Response:
        """Say where an approval of this session stands, or a call that goes on because a person was asked.

        With `wait`, answer as soon as it has an end.
        """
        claims = claims_for(request, Capability.POLL_APPROVALS)
        asked_for = request.path_params["approval_id"][:_MAX_NAME]
        seconds = self._uses.stopping.bounded(read_wait(request))
        if is_id(asked_for, IdPrefix.EXECUTION):
            held = await self._uses.held.result(claims.session, asked_for, seconds=seconds)
            return held_answer(held, control_url=self._uses.control_url)
        return approval_answer(await self._uses.approvals.wait(asked_for, session=claims.session, seconds=seconds))

    async def events(self, request: Request) -> Response:
        """Stream what a session needs to know: the tool list changed, an approval was decided."""
        claims = claims_for(request, Capability.LIST_ACTIONS)
        stream = agent_events(
            self._uses.approvals.feed,
            lambda news: self._following(claims.session, news),
            session=claims.session,
            still_open=lambda: self._uses.sessions.is_open(claims.session),
            stopping=self._uses.stopping,
        )
        return EventStream(stream)

    @contextlib.contextmanager
    def _following(self, session: str, news: News) -> Iterator[None]:
        """Have changes of the tools, and the end of the session, told for as long as somebody listens."""
        listeners = self._streams.setdefault(session, set())
        listeners.add(news)
        try:
            with self._uses.tools.noticing(news.tools_changed):
                yield
        finally:
            listeners.discard(news)
            if not listeners:
                self._streams.pop(session, None)

    def _heard(self, session: str, method: str) -> None:
        name = _CHANGED.get(method)
        if name is not None:
            for owner, listeners in self._streams.items():
                for news in listeners if session in {"", owner} else ():
                    news.changed(name)

    def _updated(self, session: str, prefix: str, address: str) -> None:
        for news in self._streams.get(session, ()):
            news.updated(prefix, address)

    def _session_ended(self, session: str) -> None:
        for news in self._streams.get(session, ()):
            news.end()


def agent_app(uses: Uses, report: Report) -> Starlette:
    """Return the agent API, without its door."""
    handle = AgentRoutes(uses)
    surfaces = Surfaces(sessions=uses.sessions, stopping=uses.stopping, tasks=uses.tasks, api=lambda: app)
    routes = [
        Route("/v1/tools/{name}/call", handle.call_tool, methods=["POST"]),  # first: nearly every request is one
        Route("/healthz", handle.health),
        Route("/openapi.json", handle.openapi),
        Route("/v1/actions", handle.list_actions),
        Route("/v1/actions/{name}/run", handle.run_action, methods=["POST"]),
        Route("/v1/tools", handle.list_tools),
        Route("/v1/tool-questions/{question_id}/answer", handle.answer_question, methods=["POST"]),
        Route("/v1/tool-servers", handle.list_servers),
        Route("/v1/action-approvals/{approval_id}/result", handle.approval_result),
        Route("/v1/events", handle.events),
        Route("/mcp", surfaces),
    ]
    app = Starlette(routes=routes, exception_handlers=handlers(report, [route.path for route in routes]))
    return app


async def _call(request: Request, claims: TokenClaims, tool: ToolId, body: RunBody) -> ToolCall:
    return ToolCall(principal=await principal_of(request), session=claims.session, tool=tool, arguments=body.arguments)


def _read(body: TypeAdapter[T], raw: bytes) -> T:
    """Read the body of a request."""
    with contextlib.suppress(ValidationError):
        return body.validate_json(raw)
    # Once more, and in two steps: this takes what no UTF-8 can hold, and says better what is wrong.
    try:
        return body.validate_python(json.loads(raw))
    except ValidationError as problem:
        places = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in problem.errors()]
        raise _malformed("; ".join(places)) from problem
    except (ValueError, RecursionError) as problem:
        raise _malformed("the body must be JSON") from problem


def read_wait(request: Request) -> float:
    """Read how long a poll may wait."""
    text = request.query_params.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise _malformed(f"`wait` is a number of seconds from 0 to {MAX_WAIT_SECONDS:g}")
    return seconds


def _malformed(problem: str) -> Failure:
    return Failure(
        FailureClass.INVALID_ARGUMENTS, f"The request is not well-formed: {problem}."[:2000], boundary=Boundary.USER
    )


def _tagged(name: str, items: list[dict[str, Any]], request: Request) -> Response:
    """Return a part of a list, or that the list is still what the caller has. The tag is of the whole list."""
    items = sorted(items, key=lambda item: str(item["name"]))
    shown, cursor = cut(name, items, key=lambda item: (item["name"],), part=part_of(request))
    whole = json.dumps(items, separators=(",", ":"))
    etag = f'"{hashlib.sha256(whole.encode()).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"etag": etag})
    # Writing five hundred tools as JSON takes longer than all else here, so a list that is given whole is written once.
    written = whole if len(shown) == len(items) else json.dumps(shown, separators=(",", ":"))
    body = f'{{"items":{written},"next_cursor":{json.dumps(cursor)}}}'
    return Response(body, media_type="application/json", headers={"etag": etag})


def _as_action(spec: ToolSpec) -> dict[str, Any]:
    """Return an action in the form in which agents saw it before there were tools of other kinds."""
    return {
        "name": spec.tool.name,
        "tool_name": spec.name,
        "version": spec.version,
        "description": spec.description,
        "schema": spec.input_schema,
        "approval_required": spec.approval_required,
        "hints": {
            "read_only": spec.annotations.read_only,
            "destructive": spec.annotations.destructive,
            "idempotent": spec.annotations.idempotent,
        },
    }

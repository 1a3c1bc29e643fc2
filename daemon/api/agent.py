"""The agent API: what a session token may do, and nothing else; there is no route here that decides anything.

Plain Starlette, because a framework that looks at signatures at each request would take a tenth of a run; the route of
nearly every request has a way of its own (`tool_calls.py`). What they accept is said by the same models in
agent_openapi, and a test holds the two together.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.api.agent_openapi import agent_openapi
from daemon.api.answers import (
    MAX_WAIT_SECONDS,
    QuestionBody,
    RunBody,
    approval_answer,
    held_answer,
    run_answer,
)
from daemon.api.bodies import malformed, read_body
from daemon.api.capabilities import claims_in
from daemon.api.envelopes import Report, handlers
from daemon.api.events import EventStream, agent_events
from daemon.api.news import News
from daemon.api.paging import cut, part_of
from daemon.api.principals import who_in
from daemon.api.stopping import Stopping
from daemon.api.surface import Surfaces
from daemon.api.talking import Questions
from daemon.api.tool_calls import CALL_PATH, MOST_NAME, AgentApp, ToolCalls
from daemon.approvals.service import Approvals
from daemon.base.tasks import TaskSet
from daemon.core.ids import IdPrefix, is_id
from daemon.core.tools import ToolCall, ToolId, ToolSpec
from daemon.execution.executor import Executor
from daemon.execution.held import HeldCalls
from daemon.execution.requests import RunRequest
from daemon.execution.toolbox import Toolbox
from daemon.sessions.service import Sessions
from daemon.sessions.tokens import Capability
from daemon.tools.actions.provider import KIND as ACTION

_RUN_BODY = TypeAdapter(RunBody)
_QUESTION_BODY = TypeAdapter(QuestionBody)
_CHANGED = {
    "notifications/resources/list_changed": "resources_changed",
    "notifications/prompts/list_changed": "prompts_changed",
}


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


class AgentRoutes:
    """The handlers of the agent API."""

    def __init__(self, uses: Uses, questions: Questions) -> None:
        self._uses = uses
        self._streams: dict[str, set[News]] = {}
        self._questions = questions
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
        claims_in(request.scope, Capability.LIST_ACTIONS)
        specs = await self._uses.tools.list(who_in(request.scope))
        return _tagged("actions", [_as_action(spec) for spec in specs if spec.tool.kind == ACTION], request)

    async def list_tools(self, request: Request) -> Response:
        """Return the tools of every kind that can be called."""
        claims_in(request.scope, Capability.LIST_ACTIONS)
        specs = await self._uses.tools.list(who_in(request.scope))
        return _tagged("tools", [spec.as_json() for spec in specs], request)

    async def run_action(self, request: Request) -> Response:
        """Run an action, or say that a person must decide first."""
        claims = claims_in(request.scope, Capability.RUN_ACTIONS)
        tool = ToolId(ACTION, request.path_params["name"][:MOST_NAME])
        body = read_body(_RUN_BODY, await request.body())
        who = who_in(request.scope)
        call = ToolCall(principal=who, session=claims.session, tool=tool, arguments=body.arguments)
        return run_answer(await self._uses.executor.run(RunRequest(call=call)), control_url=self._uses.control_url)

    async def answer_question(self, request: Request) -> Response:
        """Answer what a tool asks back while a call of this session runs."""
        claims = claims_in(request.scope, Capability.RUN_ACTIONS)
        body = read_body(_QUESTION_BODY, await request.body())
        self._questions.answer(claims.session, request.path_params["question_id"][:MOST_NAME], body.result)
        return JSONResponse({"status": "answered"})

    async def list_servers(self, request: Request) -> Response:
        """Return the servers that can be asked for more than tools."""
        claims_in(request.scope, Capability.LIST_ACTIONS)
        return JSONResponse({"items": list(self._uses.servers())})

    async def approval_result(self, request: Request) -> Response:
        """Say where an approval of this session stands, or a call that goes on because a person was asked.

        With `wait`, answer as soon as it has an end.
        """
        claims = claims_in(request.scope, Capability.POLL_APPROVALS)
        asked_for = request.path_params["approval_id"][:MOST_NAME]
        seconds = self._uses.stopping.bounded(read_wait(request))
        if is_id(asked_for, IdPrefix.EXECUTION):
            held = await self._uses.held.result(claims.session, asked_for, seconds=seconds)
            return held_answer(held, control_url=self._uses.control_url)
        return approval_answer(await self._uses.approvals.wait(asked_for, session=claims.session, seconds=seconds))

    async def events(self, request: Request) -> Response:
        """Stream what a session needs to know: the tool list changed, an approval was decided."""
        claims = claims_in(request.scope, Capability.LIST_ACTIONS)
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


def agent_app(uses: Uses, report: Report) -> AgentApp:
    """Return the agent API, without its door."""
    questions = Questions()
    handle = AgentRoutes(uses, questions)
    calls = ToolCalls(tools=uses.tools, executor=uses.executor, questions=questions, control_url=uses.control_url)
    surfaces = Surfaces(sessions=uses.sessions, stopping=uses.stopping, tasks=uses.tasks, api=lambda: app)
    routes = [
        Route("/healthz", handle.health),
        Route("/openapi.json", handle.openapi),
        Route("/v1/actions", handle.list_actions),
        Route("/v1/actions/{name}/run", handle.run_action, methods=["POST"]),
        Route("/v1/tools", handle.list_tools),
        Route(CALL_PATH, calls, methods=["POST"]),
        Route("/v1/tool-questions/{question_id}/answer", handle.answer_question, methods=["POST"]),
        Route("/v1/tool-servers", handle.list_servers),
        Route("/v1/action-approvals/{approval_id}/result", handle.approval_result),
        Route("/v1/events", handle.events),
        Route("/mcp", surfaces),
    ]
    handled = handlers(report, [route.path for route in routes])
    app = AgentApp(calls=calls, on_bug=handled[Exception], routes=routes, exception_handlers=handled)
    return app


def read_wait(request: Request) -> float:
    """Read how long a poll may wait."""
    text = request.query_params.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise malformed(f"`wait` is a number of seconds from 0 to {MAX_WAIT_SECONDS:g}")
    return seconds


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

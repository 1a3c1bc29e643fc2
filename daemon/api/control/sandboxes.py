"""Sandboxes: their start, and the streams of the agents in them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi import Body as RequestBody
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.control.owners import owner_of
from daemon.api.control.pieces import stream_of
from daemon.api.control.sandbox_images import known
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Whole, cut
from daemon.api.principals import Who
from daemon.base.processes import Processes
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.launch_request import LaunchRequest, LaunchRequestError
from daemon.sandbox.service import Sandboxes

_MOST_SAID = 2000
_ASKED = {"requestBody": {"content": {"application/json": {"schema": LaunchRequest.json_schema()}}}}
"""What the API's description says of a launch: the rules of the value itself."""

SandboxId = Annotated[str, Path(max_length=100)]
Signal = Literal["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL"]


class SizeBody(Body):
    """The size of a terminal."""

    columns: int = Field(ge=1, le=10_000)
    rows: int = Field(ge=1, le=10_000)


class AgentSizeBody(SizeBody):
    """The size that the agent's terminal is to have."""

    launcher: bool = True
    """Whose terminal is so large: the launcher's, or that of somebody who has joined."""


class SignalBody(Body):
    """A signal for the agent."""

    signal: Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    sandboxes: Sandboxes
    processes: Processes


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    sandboxes = uses.sandboxes

    @routes.get("/v1/sandboxes", operation_id="sandboxes_list")
    async def list_sandboxes(part: Whole) -> ListPart:
        """Return the sandboxes there are, the oldest first."""
        items, cursor = cut("sandboxes", sandboxes.all(), key=lambda sandbox: (sandbox.session,), part=part)
        return ListPart(items=[sandbox.as_json() for sandbox in items], next_cursor=cursor)

    @routes.post("/v1/sandboxes", operation_id="sandbox_start", status_code=201, openapi_extra=_ASKED)
    async def start(sent: Annotated[dict[str, Any], RequestBody()], who: Who) -> dict[str, Any]:
        """Start an agent in a container of its own; it waits for somebody to read its output."""
        request = _checked(sent)
        known(sandboxes.images, request.agent)
        started = await sandboxes.start(request, owner=await owner_of(uses.processes, request.owner_pid), by=who)
        return started.as_json()

    @routes.get("/v1/sandboxes/{sandbox_id}/output", operation_id="sandbox_output", response_class=StreamingResponse)
    async def output(sandbox_id: SandboxId) -> StreamingResponse:
        """Stream what the agent writes: a byte for its kind, four for its length, the piece; the last is the end."""
        sandbox = sandboxes.get(sandbox_id)
        return stream_of(sandboxes.output(sandbox), lambda: sandbox.outcome)

    @routes.post("/v1/sandboxes/{sandbox_id}/input", operation_id="sandbox_input", status_code=204)
    async def give(
        sandbox_id: SandboxId,
        request: Request,
        end: Annotated[bool, Query()] = False,
    ) -> Response:
        """Write to the agent's standard input."""
        await sandboxes.give(sandboxes.get(sandbox_id), await request.body(), end=end)
        return Response(status_code=204)

    @routes.post("/v1/sandboxes/{sandbox_id}/size", operation_id="sandbox_size", status_code=204)
    async def size(sandbox_id: SandboxId, body: AgentSizeBody) -> Response:
        """Say how large the terminal is."""
        await sandboxes.resize(sandboxes.get(sandbox_id), body.columns, body.rows, launcher=body.launcher)
        return Response(status_code=204)

    @routes.post("/v1/sandboxes/{sandbox_id}/signal", operation_id="sandbox_signal", status_code=204)
    async def send_signal(sandbox_id: SandboxId, body: SignalBody) -> Response:
        """Send a signal to the agent."""
        await sandboxes.signal(sandboxes.get(sandbox_id), body.signal)
        return Response(status_code=204)

    @routes.post("/v1/sandboxes/{sandbox_id}/end", operation_id="sandbox_end", status_code=204)
    async def end(sandbox_id: SandboxId, who: Who) -> Response:
        """End a sandbox; nothing of it is left when this answers."""
        await sandboxes.end(sandboxes.get(sandbox_id), why="ended by the person", by=who)
        return Response(status_code=204)

    return routes


def _checked(sent: dict[str, Any]) -> LaunchRequest:
    try:
        return LaunchRequest.from_json(sent)
    except LaunchRequestError as problem:
        message = f"The request is not well-formed: {problem}"[:_MOST_SAID]
        raise Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER) from None

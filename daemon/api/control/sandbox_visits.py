"""People at a sandbox that somebody else's terminal launched: programs beside the agent, its output, its terminal."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.control.pieces import stream_of
from daemon.api.control.sandboxes import SandboxId, SignalBody, SizeBody
from daemon.api.envelopes import DOCUMENTED
from daemon.api.principals import Who
from daemon.sandbox.build import SandboxRoom
from daemon.sandbox.execs import ExecRequest

_WORD = 131_072
ExecId = Annotated[str, Path(max_length=40)]


class ExecBody(Body):
    """A program to run beside the agent."""

    command: list[Annotated[str, Field(max_length=_WORD, pattern="^[^\x00]*$")]] = Field(min_length=1, max_length=1000)
    terminal: bool = False
    kind_of_terminal: str = Field(default="", max_length=100, pattern="^[A-Za-z0-9._+-]*$")
    columns: int = Field(default=80, ge=1, le=10_000)
    rows: int = Field(default=24, ge=1, le=10_000)


def router(room: SandboxRoom) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    sandboxes, execs, onlookers = room.sandboxes, room.execs, room.onlookers

    @routes.get("/v1/sandboxes/{sandbox_id}/logs", operation_id="sandbox_logs", response_class=StreamingResponse)
    async def logs(sandbox_id: SandboxId, follow: Annotated[bool, Query()] = False) -> StreamingResponse:
        """Stream what the agent has written, as far as the engine has kept it, and with `follow` what it writes."""
        sandbox = sandboxes.get(sandbox_id)
        return stream_of(onlookers.logs(sandbox, follow=follow), lambda: sandbox.outcome)

    @routes.post("/v1/sandboxes/{sandbox_id}/attach", operation_id="sandbox_attach", response_class=StreamingResponse)
    async def attach(sandbox_id: SandboxId, who: Who) -> StreamingResponse:
        """Stream the same to somebody who may also write to the agent's input; the log says who."""
        sandbox = sandboxes.get(sandbox_id)
        return stream_of(onlookers.attach(sandbox, by=who), lambda: sandbox.outcome)

    @routes.post("/v1/sandboxes/{sandbox_id}/execs", operation_id="sandbox_exec", response_class=StreamingResponse)
    async def run(sandbox_id: SandboxId, body: ExecBody, who: Who) -> StreamingResponse:
        """Run a program beside the agent and stream what it writes; it ends when this answer is not read any more."""
        request = ExecRequest(**body.model_dump() | {"command": tuple(body.command)})
        program = execs.name(sandboxes.get(sandbox_id), request, by=who)
        return stream_of(execs.run(program), lambda: {"code": program.code})

    @routes.post("/v1/sandboxes/{sandbox_id}/execs/{exec_id}/input", operation_id="exec_input", status_code=204)
    async def give(
        sandbox_id: SandboxId, exec_id: ExecId, request: Request, end: Annotated[bool, Query()] = False
    ) -> Response:
        """Write to the program's standard input."""
        await execs.give(execs.get(sandbox_id, exec_id), await request.body(), end=end)
        return Response(status_code=204)

    @routes.post("/v1/sandboxes/{sandbox_id}/execs/{exec_id}/size", operation_id="exec_size", status_code=204)
    async def size(sandbox_id: SandboxId, exec_id: ExecId, body: SizeBody) -> Response:
        """Say how large the terminal is."""
        await execs.resize(execs.get(sandbox_id, exec_id), body.columns, body.rows)
        return Response(status_code=204)

    @routes.post("/v1/sandboxes/{sandbox_id}/execs/{exec_id}/signal", operation_id="exec_signal", status_code=204)
    async def send_signal(sandbox_id: SandboxId, exec_id: ExecId, body: SignalBody) -> Response:
        """Send a signal to the program."""
        await execs.signal(execs.get(sandbox_id, exec_id), body.signal)
        return Response(status_code=204)

    return routes

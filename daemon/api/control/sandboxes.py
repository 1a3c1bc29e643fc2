"""Sandboxes: their start, and the streams of the agents in them."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path as FolderPath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.control.owners import owner_of
from daemon.api.control.sandbox_images import known
from daemon.api.envelopes import DOCUMENTED
from daemon.api.principals import Who
from daemon.base.processes import Processes
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox.container import Limits
from daemon.sandbox.git_identity import Identity
from daemon.sandbox.service import Sandboxes
from daemon.sandbox.starting import Wanted

_END = 3
"""The kind of the last piece of an output; 1 and 2 are what the agent wrote to its output and its errors."""

SandboxId = Annotated[str, Path(max_length=100)]
Word = Annotated[str, Field(max_length=131_072)]
Signal = Literal["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL"]


class SandboxBody(Body):
    """One launch."""

    agent: str = Field(max_length=40)
    arguments: list[Word] = Field(default_factory=list, max_length=1000)
    command: list[Word] = Field(default_factory=list, max_length=1000)
    image: str | None = Field(default=None, max_length=300)
    workspace: str = Field(max_length=4096)
    workspace_way: Literal["auto", "copy", "live"] = "auto"
    resume: str | None = Field(default=None, max_length=100)
    git_name: str = Field(default="", max_length=1000)
    git_email: str = Field(default="", max_length=1000)
    git_branch: str = Field(default="", max_length=255)
    label: str = Field(default="", max_length=200)
    owner_pid: int | None = Field(default=None, ge=1, le=2**31 - 1)
    terminal: bool = False
    columns: int = Field(default=80, ge=1, le=10_000)
    rows: int = Field(default=24, ge=1, le=10_000)
    user: str | None = Field(default=None, max_length=30)
    network: Literal["internal", "open"] = "internal"
    environment: dict[str, Word] = Field(default_factory=dict, max_length=200)
    memory_bytes: int | None = Field(default=None, ge=64 * 1024**2, le=2**50)
    cpus: float | None = Field(default=None, gt=0, le=1024)
    seconds: float | None = Field(default=None, gt=0, le=30 * 86_400)


class SizeBody(Body):
    """The size of a terminal."""

    columns: int = Field(ge=1, le=10_000)
    rows: int = Field(ge=1, le=10_000)


class SignalBody(Body):
    """A signal for the agent."""

    signal: Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    sandboxes: Sandboxes
    processes: Processes
    limits: Limits
    """What a sandbox may use of the machine when a launch asks for nothing else."""


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    sandboxes = uses.sandboxes

    @routes.get("/v1/sandboxes", operation_id="sandboxes_list")
    async def list_sandboxes() -> dict[str, Any]:
        """Return the sandboxes there are."""
        return {"items": [sandbox.as_json() for sandbox in sandboxes.all()], "next": None}

    @routes.post("/v1/sandboxes", operation_id="sandbox_start", status_code=201)
    async def start(body: SandboxBody, who: Who) -> dict[str, Any]:
        """Start an agent in a container of its own; it waits for somebody to read its output."""
        known(sandboxes.images, body.agent)
        limits = uses.limits
        owner = await owner_of(uses.processes, body.owner_pid)
        workspace = FolderPath(body.workspace)
        if not workspace.is_absolute():
            raise _usage("The workspace is an absolute path.")
        started = await sandboxes.start(
            Wanted(
                agent=body.agent,
                arguments=tuple(body.arguments),
                command=tuple(body.command),
                image=body.image,
                workspace=workspace,
                workspace_way=body.workspace_way,
                resume=body.resume,
                git=Identity(body.git_name, body.git_email, body.git_branch),
                label=body.label,
                owner=owner,
                terminal=body.terminal,
                size=(body.columns, body.rows),
                user=body.user,
                network=body.network,
                environment=body.environment,
                limits=Limits(
                    memory_bytes=body.memory_bytes or limits.memory_bytes,
                    cpus=body.cpus or limits.cpus,
                    pids=limits.pids,
                ),
                seconds=body.seconds,
            ),
            by=who,
        )
        return started.as_json()

    @routes.get("/v1/sandboxes/{sandbox_id}/output", operation_id="sandbox_output", response_class=StreamingResponse)
    async def output(sandbox_id: SandboxId) -> StreamingResponse:
        """Stream what the agent writes: a byte for its kind, four for its length, the piece; the last is the end."""
        sandbox = sandboxes.get(sandbox_id)

        async def pieces() -> AsyncIterator[bytes]:
            async for kind, piece in sandboxes.output(sandbox):
                yield bytes([kind]) + len(piece).to_bytes(4, "big") + piece
            told = json.dumps(sandbox.outcome).encode()
            yield bytes([_END]) + len(told).to_bytes(4, "big") + told

        return StreamingResponse(pieces(), media_type="application/octet-stream")

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
    async def size(sandbox_id: SandboxId, body: SizeBody) -> Response:
        """Say how large the terminal is."""
        await sandboxes.resize(sandboxes.get(sandbox_id), body.columns, body.rows)
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


def _usage(message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)

"""The agent API: what a session token may do, and nothing else; there is no route here that decides anything."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from daemon.actions.catalog import InstalledAction
from daemon.actions.requests import RunRequest
from daemon.api.answers import (
    MAX_WAIT_SECONDS,
    ApprovalResult,
    RunBody,
    RunFinished,
    RunWaiting,
    approval_answer,
    run_answer,
)
from daemon.api.envelopes import DOCUMENTED
from daemon.api.events import EventStream, agent_events
from daemon.api.services import Services
from daemon.api.stopping import Stopping
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.schema import input_schema
from daemon.sessions.tokens import Capability, TokenClaims

ActionName = Annotated[str, Path(max_length=200)]


def needs(capability: Capability) -> Callable[[Request], Awaitable[TokenClaims]]:
    """Return the check that a route's token carries a capability."""

    async def check(request: Request) -> TokenClaims:
        claims: TokenClaims = request.scope["aileron.claims"]
        if capability not in claims.capabilities:
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                f"This session's token does not carry {capability.value}.",
                boundary=Boundary.USER,
            )
        return claims

    return check


def add_routes(app: FastAPI, services: Services, stopping: Stopping) -> None:
    """Add the routes of the agent API."""

    @app.get("/healthz", operation_id="health")
    async def health() -> dict[str, str]:
        """Say that the daemon is there."""
        return {"status": "ok"}

    @app.get(
        "/v1/actions",
        operation_id="list_actions",
        responses={**DOCUMENTED, 304: {"description": "Nothing has changed since the given ETag."}},
    )
    async def list_actions(
        request: Request, _: Annotated[TokenClaims, Depends(needs(Capability.LIST_ACTIONS))]
    ) -> Response:
        """Return the actions that can be run, with the schema of their arguments."""
        items = [describe_action(entry) for entry in services.catalog.all() if entry.state == "ready"]
        body = json.dumps({"items": items}, separators=(",", ":")).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return Response(body, media_type="application/json", headers={"etag": etag})

    @app.post(
        "/v1/actions/{name}/run",
        operation_id="run_action",
        response_model=RunFinished,
        responses={**DOCUMENTED, 202: {"model": RunWaiting, "description": "A person must decide first."}},
    )
    async def run_action(
        name: ActionName, body: RunBody, claims: Annotated[TokenClaims, Depends(needs(Capability.RUN_ACTIONS))]
    ) -> JSONResponse:
        """Run an action, or say that a person must decide first."""
        outcome = await services.executor.run(
            RunRequest(session=claims.session, actor="agent", action=name, arguments=body.arguments)
        )
        return run_answer(outcome, control_url=services.addresses.control)

    @app.get(
        "/v1/action-approvals/{approval_id}/result",
        operation_id="approval_result",
        response_model=ApprovalResult,
        responses=DOCUMENTED,
    )
    async def approval_result(
        approval_id: Annotated[str, Path(max_length=100)],
        claims: Annotated[TokenClaims, Depends(needs(Capability.POLL_APPROVALS))],
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0,
    ) -> JSONResponse:
        """Say where an approval of this session stands; with `wait`, answer as soon as it has an end."""
        approval = await services.approvals.wait(approval_id, session=claims.session, seconds=stopping.bounded(wait))
        return approval_answer(approval)

    @app.get("/v1/events", operation_id="agent_events", response_class=EventStream, responses=DOCUMENTED)
    async def events(claims: Annotated[TokenClaims, Depends(needs(Capability.LIST_ACTIONS))]) -> Response:
        """Stream what a session needs to know: the tool list changed, an approval was decided."""
        stream = agent_events(
            services.approvals.feed,
            services.catalog,
            session=claims.session,
            still_open=lambda: services.sessions.is_open(claims.session),
            stopped=stopping.event,
        )
        return EventStream(stream)


def describe_action(entry: InstalledAction) -> dict[str, Any]:
    """Return an action as an agent sees it."""
    action = entry.action
    if action is None:
        raise ValueError(f"{entry.name} is broken and is not offered to anybody")
    return {
        "name": action.name,
        "tool_name": action.tool_name,
        "version": str(action.version),
        "description": action.description,
        "schema": input_schema(action.inputs),
        "approval_required": action.approval.required,
    }

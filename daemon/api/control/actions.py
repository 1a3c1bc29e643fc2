"""Installed actions: what there is, whether it is well-formed, and running one from the terminal."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import Field

from daemon.api.answers import Body, RunBody, RunFinished, RunWaiting, run_answer
from daemon.api.envelopes import DOCUMENTED
from daemon.api.services import Services
from daemon.audit.changes import recorded, recorded_after
from daemon.audit.events import AuditEvent
from daemon.core.action_parser import parse_action
from daemon.core.failures import DocumentError
from daemon.core.principal import Means, Principal
from daemon.core.schema import input_schema
from daemon.core.tools import ToolCall, ToolId
from daemon.execution.requests import RunRequest
from daemon.tools.actions.catalog import InstalledAction
from daemon.tools.actions.fitness import problems_with
from daemon.tools.actions.provider import KIND as ACTION

Name = Annotated[str, Path(max_length=200)]


class CheckBody(Body):
    """The text of an action file, and what to call it in messages."""

    text: str = Field(max_length=1024 * 1024)
    file: str = Field(max_length=4096)


def router(services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    catalog = services.catalog

    @routes.get("/v1/actions", operation_id="actions_list")
    async def actions() -> dict[str, Any]:
        """Return every installed action, also the disabled and the broken ones."""
        return {"items": [_summary(services, entry) for entry in catalog.all()], "next": None}

    @routes.post("/v1/actions/check", operation_id="action_check")
    async def check(body: CheckBody) -> dict[str, Any]:
        """Say what is wrong with the text of an action file."""
        try:
            action = parse_action(body.text, file=body.file)
        except DocumentError as problem:
            return {"ok": False, "problems": [_problem(problem)]}
        unfit = await problems_with(services.connectors, action)
        problems = [{"file": body.file, "line": None, "problem": text, "remedy": ""} for text in unfit]
        return {"ok": not problems, "problems": problems}

    @routes.get("/v1/actions/{name}", operation_id="action_show")
    async def show(name: Name) -> dict[str, Any]:
        """Return one installed action with its file."""
        entry = catalog.require(name)
        answer = _summary(services, entry) | {"file": str(entry.path), "text": entry.text, "hash": entry.hash}
        if entry.action is not None:
            answer |= {
                "schema": input_schema(entry.action.inputs),
                "steps": [
                    {"id": s.id, "connector": str(s.connector), "op": s.op, "timeout_seconds": s.timeout_seconds}
                    for s in entry.action.steps
                ],
            }
        return answer

    async def switch(name: str, *, enabled: bool) -> dict[str, Any]:
        session = await services.sessions.terminal()
        event = AuditEvent(
            type="action.enabled" if enabled else "action.disabled",
            session=session.id,
            actor="user",
            action=name,
            payload={"aileron.action.hash": catalog.require(name).hash},
        )

        async def change() -> InstalledAction:
            return catalog.set_enabled(name, enabled=enabled)

        entry = await (recorded if enabled else recorded_after)(services.audit, event, change)
        return _summary(services, entry)

    @routes.post("/v1/actions/{name}/enable", operation_id="action_enable")
    async def enable(name: Name) -> dict[str, Any]:
        """Let an action run again."""
        return await switch(name, enabled=True)

    @routes.post("/v1/actions/{name}/disable", operation_id="action_disable")
    async def disable(name: Name) -> dict[str, Any]:
        """Keep an action installed, but neither offered nor run."""
        return await switch(name, enabled=False)

    @routes.post(
        "/v1/actions/{name}/run",
        operation_id="action_run",
        response_model=RunFinished,
        responses={202: {"model": RunWaiting, "description": "A person must decide first."}},
    )
    async def run(name: Name, body: RunBody) -> JSONResponse:
        """Run an action as the person at the terminal."""
        session = await services.sessions.terminal()
        outcome = await services.executor.run(
            RunRequest(
                call=ToolCall(
                    principal=Principal.person(Means.CLI),
                    session=session.id,
                    tool=ToolId(ACTION, name),
                    arguments=body.arguments,
                )
            )
        )
        return run_answer(outcome, control_url=services.addresses.control)

    return routes


def _summary(services: Services, entry: InstalledAction) -> dict[str, Any]:
    action = entry.action
    summary: dict[str, Any] = {
        "name": entry.name,
        "enabled": entry.enabled,
        "state": entry.state,
        "problems": [] if entry.problem is None else [_problem(entry.problem)],
    }
    if action is None:
        nothing: dict[str, Any] = {
            "version": None,
            "description": None,
            "approval_required": None,
            "decision": None,
            "tool_name": None,
            "inputs": [],
            "requires": [],
        }
        return summary | nothing
    return summary | {
        "version": str(action.version),
        "description": action.description,
        "approval_required": action.approval.required,
        "decision": services.rules.ruling(
            ToolId(ACTION, action.name), required=action.approval.required
        ).decision.value,
        "tool_name": action.tool_name,
        "inputs": [
            {"name": i.name, "type": i.type, "required": i.required, "description": i.description}
            for i in action.inputs
        ],
        "requires": [
            {
                "name": str(r.name),
                "version": str(r.version),
                "hash": r.hash,
                "capabilities": list(r.capabilities),
            }
            for r in action.requires
        ],
    }


def _problem(problem: DocumentError) -> dict[str, Any]:
    return {"file": problem.file, "line": problem.line, "problem": problem.problem, "remedy": problem.remedy}

"""Installed actions: what there is, whether it is well-formed, and running one from the terminal."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import Field

from daemon.api.answers import Body, RunBody, RunFinished, RunWaiting, run_answer
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Whole, cut
from daemon.api.principals import Who
from daemon.approvals.rules import Rules
from daemon.audit.changes import recorded, recorded_after
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.connectors.service import ConnectorService
from daemon.core.action_parser import read_action
from daemon.core.failures import DocumentError
from daemon.core.principal import Principal
from daemon.core.schema import input_schema
from daemon.core.tools import ToolCall, ToolId
from daemon.core.vocabulary import Attr, EventType
from daemon.execution.executor import Executor
from daemon.execution.requests import RunRequest
from daemon.sessions.service import Sessions
from daemon.tools.actions.catalog import ActionCatalog, InstalledAction
from daemon.tools.actions.fitness import Readiness, problems_with, readiness
from daemon.tools.actions.provider import KIND as ACTION

Name = Annotated[str, Path(max_length=200)]


class CheckBody(Body):
    """The text of an action file, and what to call it in messages."""

    text: str = Field(max_length=1024 * 1024)
    file: str = Field(max_length=4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    catalog: ActionCatalog
    connectors: ConnectorService
    executor: Executor
    rules: Rules
    sessions: Sessions
    audit: AuditLog
    control_url: str


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    catalog = uses.catalog

    async def summary(entry: InstalledAction) -> dict[str, Any]:
        return _summary(uses.rules, entry, await readiness(uses.connectors, entry))

    @routes.get("/v1/actions", operation_id="actions_list")
    async def actions(part: Whole) -> ListPart:
        """Return the installed actions by name, also the disabled and the broken ones."""
        items, cursor = cut("actions", catalog.all(), key=lambda entry: (entry.name,), part=part)
        return ListPart(items=[await summary(entry) for entry in items], next_cursor=cursor)

    @routes.post("/v1/actions/check", operation_id="action_check")
    async def check(body: CheckBody) -> dict[str, Any]:
        """Say everything that is wrong with the text of an action file."""
        reading = read_action(body.text, file=body.file)
        unfit = await problems_with(uses.connectors, reading.requires, reading.action)
        problems = [_problem(problem) for problem in reading.problems]
        problems += [{"file": body.file, "line": None, "problem": text, "remedy": ""} for text in unfit]
        return {"ok": not problems, "problems": problems}

    @routes.get("/v1/actions/{name}", operation_id="action_show")
    async def show(name: Name) -> dict[str, Any]:
        """Return one installed action with its file."""
        entry = catalog.require(name)
        answer = await summary(entry) | {"file": str(entry.path), "text": entry.text, "hash": entry.hash}
        if entry.action is not None:
            answer |= {
                "schema": input_schema(entry.action.inputs),
                "steps": [
                    {"id": s.id, "connector": str(s.connector), "op": s.op, "timeout_seconds": s.timeout_seconds}
                    for s in entry.action.steps
                ],
            }
        return answer

    async def switch(name: str, who: Principal, *, enabled: bool) -> dict[str, Any]:
        session = await uses.sessions.terminal()
        event = AuditEvent(
            type=EventType.ACTION_ENABLED if enabled else EventType.ACTION_DISABLED,
            session=session.id,
            actor=who,
            action=name,
            payload={Attr.ACTION_HASH: catalog.require(name).hash},
        )

        async def change() -> InstalledAction:
            return catalog.set_enabled(name, enabled=enabled)

        entry = await (recorded if enabled else recorded_after)(uses.audit, event, change)
        return await summary(entry)

    @routes.post("/v1/actions/{name}/enable", operation_id="action_enable")
    async def enable(name: Name, who: Who) -> dict[str, Any]:
        """Let an action run again."""
        return await switch(name, who, enabled=True)

    @routes.post("/v1/actions/{name}/disable", operation_id="action_disable")
    async def disable(name: Name, who: Who) -> dict[str, Any]:
        """Keep an action installed, but neither offered nor run."""
        return await switch(name, who, enabled=False)

    @routes.post(
        "/v1/actions/{name}/run",
        operation_id="action_run",
        response_model=RunFinished,
        responses={202: {"model": RunWaiting, "description": "A person must decide first."}},
    )
    async def run(name: Name, body: RunBody, who: Who) -> JSONResponse:
        """Run an action as the person at the terminal."""
        session = await uses.sessions.terminal()
        call = ToolCall(principal=who, session=session.id, tool=ToolId(ACTION, name), arguments=body.arguments)
        outcome = await uses.executor.run(RunRequest(call=call))
        return run_answer(outcome, control_url=uses.control_url)

    return routes


def _summary(rules: Rules, entry: InstalledAction, found: Readiness) -> dict[str, Any]:
    action = entry.action
    summary: dict[str, Any] = {
        "name": entry.name,
        "enabled": entry.enabled,
        "state": found.state,
        "problems": [_problem(entry.problem)] if entry.problem is not None else _unmet(entry, found),
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
        "decision": rules.ruling(ToolId(ACTION, action.name), required=action.approval.required).decision.value,
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


def _unmet(entry: InstalledAction, found: Readiness) -> list[dict[str, Any]]:
    return [
        {
            "file": str(entry.path),
            "line": None,
            "problem": each.message,
            "remedy": f"Run: {each.command}" if each.command else "",
        }
        for each in found.problems
    ]


def _problem(problem: DocumentError) -> dict[str, Any]:
    return {"file": problem.file, "line": problem.line, "problem": problem.problem, "remedy": problem.remedy}

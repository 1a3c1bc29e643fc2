"""Approvals: what waits for a person, the exact call, and the decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from daemon.api.answers import MAX_WAIT_SECONDS, ApprovalResult, Body, approval_answer, review_url
from daemon.api.browser import BrowserSessions
from daemon.api.envelopes import DOCUMENTED
from daemon.api.events import EventStream, approval_events
from daemon.api.paging import ListPart, Newest, Part, first_of
from daemon.api.principals import Who
from daemon.api.stopping import Stopping
from daemon.approvals.machine import ApprovalState
from daemon.approvals.record import Approval
from daemon.approvals.service import Approvals
from daemon.execution.explanations import Explanations
from daemon.execution.previews import Previews
from daemon.questions.service import Questions

_LIST = "approvals"
ApprovalId = Annotated[str, Path(max_length=100)]


class DecisionBody(Body):
    """Why, if the person wants to say."""

    reason: str | None = Field(default=None, max_length=2000)


class LoginBody(Body):
    """Where a browser goes after it has signed in: a path of this daemon."""

    next: str = Field(default="/", max_length=500, pattern=r"^/((approvals|questions|sessions)/[A-Za-z0-9_-]+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    approvals: Approvals
    questions: Questions
    explanations: Explanations
    previews: Previews
    browser: BrowserSessions
    stopping: Stopping
    control_url: str


async def some_of(
    approvals: Approvals, part: Part, state: ApprovalState | None
) -> tuple[Sequence[Approval], str | None]:
    """Return a part of the approvals, the newest first, and the cursor of the next one."""
    before = part.behind(_LIST, int, str)
    found = await approvals.find(state=state, limit=part.limit + 1, before=before)  # type: ignore[arg-type]
    return first_of(_LIST, found, key=lambda each: (each.created_ms, each.id), part=part)


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    approvals, stopping = uses.approvals, uses.stopping

    def shown(approval: Approval) -> dict[str, Any]:
        return approval.as_json() | {"review_url": review_url(uses.control_url, approval.id)}

    @routes.get("/v1/approvals", operation_id="approvals_list")
    async def list_approvals(part: Newest, state: ApprovalState | None = None) -> ListPart:
        """Return approvals, the newest first."""
        items, cursor = await some_of(approvals, part, state)
        return ListPart(items=[shown(each) for each in items], next_cursor=cursor)

    @routes.get("/v1/approvals/events", operation_id="approval_events", response_class=EventStream)
    async def events() -> Response:
        """Stream every approval that moves, and every question of a server that is asked or ends."""
        return EventStream(approval_events(approvals.feed, approvals.get, uses.questions, stopping=stopping))

    @routes.get("/v1/approvals/{approval_id}", operation_id="approval_show")
    async def show(approval_id: ApprovalId) -> dict[str, Any]:
        """Return one approval: who asks, for what, with exactly which arguments, and every step that would run."""
        approval = await approvals.get(approval_id)
        return shown(approval) | {"explanation": (await uses.explanations.explain(approval)).as_json()}

    @routes.get("/v1/approvals/{approval_id}/preview", operation_id="approval_preview")
    async def preview(approval_id: ApprovalId, who: Who) -> dict[str, Any]:
        """Return what the service says about the thing that would be acted on; for the person only."""
        return (await uses.previews.show(await approvals.get(approval_id), by=who)).as_json()

    @routes.post("/v1/approvals/{approval_id}/approve", operation_id="approval_approve")
    async def approve(approval_id: ApprovalId, body: DecisionBody, who: Who) -> dict[str, Any]:
        """Say yes to exactly this call, once."""
        return shown(await approvals.decide(approval_id, approve=True, by=who, reason=body.reason))

    @routes.post("/v1/approvals/{approval_id}/deny", operation_id="approval_deny")
    async def deny(approval_id: ApprovalId, body: DecisionBody, who: Who) -> dict[str, Any]:
        """Say no."""
        return shown(await approvals.decide(approval_id, approve=False, by=who, reason=body.reason))

    @routes.get(
        "/v1/action-approvals/{approval_id}/result", operation_id="approval_result", response_model=ApprovalResult
    )
    async def result(
        approval_id: ApprovalId, wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0
    ) -> JSONResponse:
        """Say where an approval stands; with `wait`, answer as soon as it has an end."""
        return approval_answer(await approvals.wait(approval_id, session=None, seconds=stopping.bounded(wait)))

    @routes.post("/v1/browser-logins", operation_id="browser_login")
    async def browser_login(body: LoginBody) -> dict[str, Any]:
        """Return a link that signs one browser in, once, within a minute."""
        return {"url": f"{uses.control_url}/login?code={uses.browser.make_link(body.next)}"}

    return routes

"""The page on which a person decides: what would happen, exactly, who asks, yes or no. Plain HTML, no script.

No key that is pressed while typing decides anything: the reason is a text area, in which Enter is a new line; the first
button of the form, which browsers press by themselves, decides later; so does the first one that Tab leads to.
"""

import json
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from daemon.api.browser import COOKIE, BrowserSession
from daemon.api.services import Services
from daemon.approvals.machine import ApprovalState, explain
from daemon.approvals.record import Approval
from daemon.approvals.service import StaleApprovalError
from daemon.base.clock import rfc3339
from daemon.core.failures import Failure
from daemon.web.approval_view import ApprovalView, approval_view
from daemon.web.forms import read_form
from daemon.web.renderer import HEADERS, Renderer
from daemon.web.session_pages import add_session_pages

_STATIC = Path(__file__).parent / "static"


def add_pages(app: FastAPI, services: Services) -> None:
    """Add the pages to the control app."""
    renderer = Renderer()
    _add_entrance(app, services, renderer)
    _add_approvals(app, services, renderer)
    add_session_pages(app, services, renderer)


def _add_entrance(app: FastAPI, services: Services, renderer: Renderer) -> None:
    @app.get("/static/aileron.css", include_in_schema=False)
    async def stylesheet() -> Response:
        """Return the one stylesheet."""
        return Response((_STATIC / "aileron.css").read_bytes(), media_type="text/css", headers=HEADERS)

    @app.get("/login", include_in_schema=False)
    async def login(code: str = "") -> Response:
        """Turn a one-time code into a signed-in browser."""
        redeemed = services.browser.redeem(code)
        if redeemed is None:
            return renderer.sign_in()
        cookie, target = redeemed
        answer = RedirectResponse(target, status_code=303, headers=HEADERS)
        answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
        return answer

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        """List what waits for a decision."""
        if "aileron.browser" not in request.scope:
            return renderer.sign_in()
        pending = await services.approvals.find(state=ApprovalState.PENDING)
        return renderer.page("index.html", pending=pending, rfc3339=rfc3339)


def _add_approvals(app: FastAPI, services: Services, renderer: Renderer) -> None:
    async def view_of(approval: Approval, *, whole: bool) -> ApprovalView:
        explanation = await services.explanations.explain(approval)
        return approval_view(approval, explanation, await services.previews.show(approval), whole=whole)

    async def show(
        approval_id: str, session: BrowserSession, *, whole: bool, notice: str = "", status: int = 200
    ) -> Response:
        try:
            approval = await services.approvals.get(approval_id)
        except Failure as failure:
            return renderer.page("message.html", status=404, title="No such approval", message=failure.message)
        return renderer.page(
            "approval.html",
            status=status,
            approval=approval,
            view=await view_of(approval, whole=whole),
            whole=whole,
            outcome=None if approval.outcome is None else json.dumps(approval.outcome, indent=2, ensure_ascii=False),
            notice=notice,
            explanation=explain(approval.state),
            csrf=session.csrf_token,
            rfc3339=rfc3339,
            refresh=approval.state in {ApprovalState.APPROVED, ApprovalState.RUNNING},
        )

    @app.get("/approvals/{approval_id}", include_in_schema=False)
    async def approval_page(request: Request, approval_id: str, whole: bool = False) -> Response:
        """Show one request for a decision; long texts are folded unless the whole is asked for."""
        session = request.scope.get("aileron.browser")
        if session is None:
            return renderer.sign_in(f"approval {approval_id}")
        return await show(approval_id, session, whole=whole)

    @app.post("/approvals/{approval_id}", include_in_schema=False)
    async def decide(request: Request, approval_id: str) -> Response:
        """Write down the decision of a form."""
        session: BrowserSession | None = request.scope.get("aileron.browser")
        if session is None:
            return renderer.sign_in(f"approval {approval_id}")
        form = await read_form(request, session)
        if form is None:
            return renderer.page(
                "message.html",
                status=403,
                title="Nothing was changed",
                message="The form is too old or was not ours. Open the approval again and decide there.",
            )
        whole = form.one("whole") == "yes"
        verdict = form.one("verdict")
        if verdict == "later":
            return RedirectResponse("/", status_code=303, headers=HEADERS)
        if verdict not in {"approve", "deny"}:
            return await show(
                approval_id, session, whole=whole, notice="Nothing was changed: press one of the buttons.", status=400
            )
        reason = form.one("reason").strip()[:2000] or None
        try:
            if verdict == "approve":
                approval = await services.approvals.get(approval_id)
                unseen = _unseen(await view_of(approval, whole=whole))
                if unseen is not None and approval.state is ApprovalState.PENDING:
                    return await show(approval_id, session, whole=whole, notice=unseen, status=409)
            await services.approvals.decide(approval_id, approve=verdict == "approve", by="user", reason=reason)
        except StaleApprovalError as stale:
            return await show(approval_id, session, whole=whole, notice=f"Nothing was changed. {stale}", status=409)
        except Failure as failure:
            return renderer.page("message.html", status=409, title="Nothing was changed", message=failure.message)
        return RedirectResponse(f"/approvals/{approval_id}", status_code=303, headers=HEADERS)


def _unseen(view: ApprovalView) -> str | None:
    """Say why a request cannot be approved from the page that sent the form; None if all of it was on the page."""
    if not view.explanation.complete:
        return f"Nothing was changed. {view.explanation.message}"
    if view.left_out:
        return f"Nothing was changed: {view.left_out:,} characters were not on the page. Show all of it, then decide."
    return None

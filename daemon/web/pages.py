"""The pages of the control app: where a browser signs in, what waits for a decision, and the pages that decide."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from daemon.api.browser import COOKIE, BrowserSessions
from daemon.api.control.approvals import some_of
from daemon.api.paging import USUAL, Part
from daemon.approvals.machine import ApprovalState
from daemon.approvals.service import Approvals
from daemon.base.clock import rfc3339
from daemon.core.failures import Failure
from daemon.execution.explanations import Explanations
from daemon.execution.previews import Previews
from daemon.questions.service import Questions
from daemon.web.approval_pages import ApprovalPages
from daemon.web.question_pages import QuestionPages
from daemon.web.renderer import HEADERS, Renderer
from daemon.web.session_pages import SessionPages
from daemon.workspaces.service import Workspaces

_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageServices:
    """What the pages use."""

    browser: BrowserSessions
    approvals: Approvals
    questions: Questions
    explanations: Explanations
    previews: Previews
    workspaces: Workspaces


def add_pages(app: FastAPI, services: PageServices) -> None:
    """Add the pages to the control app."""
    renderer = Renderer()
    _add_entrance(app, services, renderer)
    ApprovalPages(services.approvals, services.explanations, services.previews, renderer).add_to(app)
    QuestionPages(services.questions, renderer).add_to(app)
    SessionPages(services.workspaces, renderer).add_to(app)


def _add_entrance(app: FastAPI, services: PageServices, renderer: Renderer) -> None:
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
        part = Part(USUAL, request.query_params.get("cursor"))
        try:
            pending, more = await some_of(services.approvals, part, ApprovalState.PENDING)
        except Failure:  # an address that somebody changed; the list has a beginning
            pending, more = await some_of(services.approvals, Part(USUAL), ApprovalState.PENDING)
        questions = services.questions.open()
        return renderer.page("index.html", pending=pending, questions=questions, more=more, rfc3339=rfc3339)

"""The page on which a person decides: who asks, what exactly, yes or no. Plain HTML, no script."""

import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from daemon.api.browser import COOKIE, BrowserSession
from daemon.api.services import Services
from daemon.approvals.machine import ApprovalState, explain
from daemon.approvals.service import StaleApprovalError
from daemon.core.clock import rfc3339
from daemon.core.failures import Failure
from daemon.core.visible import visible

_STATIC = Path(__file__).parent / "static"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with that a browser says `Origin: null` of our own forms, and the door refuses them.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def add_pages(app: FastAPI, services: Services) -> None:
    """Add the pages to the control app."""
    templates = Environment(
        loader=PackageLoader("daemon.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["visible"] = visible

    def page(name: str, *, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(templates.get_template(name).render(**values), status_code=status, headers=_HEADERS)

    def sign_in(command: str) -> Response:
        return page("sign_in.html", status=401, command=command)

    @app.get("/static/aileron.css", include_in_schema=False)
    async def stylesheet() -> Response:
        """Return the one stylesheet."""
        return Response((_STATIC / "aileron.css").read_bytes(), media_type="text/css", headers=_HEADERS)

    @app.get("/login", include_in_schema=False)
    async def login(code: str = "") -> Response:
        """Turn a one-time code into a signed-in browser."""
        redeemed = services.browser.redeem(code)
        if redeemed is None:
            return sign_in("aileron open approval <id>")
        cookie, target = redeemed
        answer = RedirectResponse(target, status_code=303, headers=_HEADERS)
        answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
        return answer

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        """List what waits for a decision."""
        if "aileron.browser" not in request.scope:
            return sign_in("aileron open approval <id>")
        pending = await services.approvals.find(state=ApprovalState.PENDING)
        return page("index.html", pending=pending, rfc3339=rfc3339)

    async def show(approval_id: str, session: BrowserSession, *, notice: str = "", status: int = 200) -> Response:
        try:
            approval = await services.approvals.get(approval_id)
        except Failure as failure:
            return page("message.html", status=404, title="No such approval", message=failure.message)
        preview = await services.previews.show(approval)
        return page(
            "approval.html",
            status=status,
            approval=approval,
            arguments=_lines(approval.arguments),
            outcome=None if approval.outcome is None else visible(json.dumps(approval.outcome, indent=2)),
            preview=preview,
            notice=notice,
            explanation=explain(approval.state),
            csrf=session.csrf_token,
            rfc3339=rfc3339,
            refresh=approval.state in {ApprovalState.APPROVED, ApprovalState.RUNNING},
        )

    @app.get("/approvals/{approval_id}", include_in_schema=False)
    async def approval_page(request: Request, approval_id: str) -> Response:
        """Show one request for a decision."""
        session = request.scope.get("aileron.browser")
        if session is None:
            return sign_in(f"aileron open approval {visible(approval_id)[:60]}")
        return await show(approval_id, session)

    @app.post("/approvals/{approval_id}", include_in_schema=False)
    async def decide(request: Request, approval_id: str) -> Response:
        """Write down the decision of a form."""
        session: BrowserSession | None = request.scope.get("aileron.browser")
        if session is None:
            return sign_in(f"aileron open approval {visible(approval_id)[:60]}")
        try:
            form = parse_qs((await request.body()).decode("utf-8"), max_num_fields=8)
        except ValueError:
            form = {}
        if not hmac.compare_digest(form.get("csrf", [""])[0].encode(), session.csrf_token.encode()):
            return page(
                "message.html",
                status=403,
                title="Nothing was changed",
                message="The form is too old or was not ours. Open the approval again and decide there.",
            )
        verdict = form.get("verdict", [""])[0]
        if verdict not in {"approve", "deny"}:
            return await show(approval_id, session, notice="Nothing was changed: press one of the buttons.", status=400)
        reason = form.get("reason", [""])[0].strip()[:2000] or None
        try:
            await services.approvals.decide(approval_id, approve=verdict == "approve", by="user", reason=reason)
        except StaleApprovalError as stale:
            return await show(approval_id, session, notice=f"Nothing was changed. {stale}", status=409)
        except Failure as failure:
            return page("message.html", status=409, title="Nothing was changed", message=failure.message)
        return RedirectResponse(f"/approvals/{approval_id}", status_code=303, headers=_HEADERS)


def _lines(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = []
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        shown.append((name, visible(text)))
    return shown

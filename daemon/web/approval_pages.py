"""The page on which a person decides: what would happen, exactly, who asks, yes or no. Plain HTML, no script.

No key that is pressed while typing decides anything: the reason is a text area, in which Enter is a new line; the first
button of the form, which browsers press by themselves, decides later; so does the first one that Tab leads to.
"""

import json
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response

from daemon.approvals.machine import ApprovalState, explain
from daemon.approvals.record import Approval
from daemon.approvals.service import Approvals, StaleApprovalError
from daemon.base.clock import rfc3339
from daemon.core.failures import Failure
from daemon.core.principal import in_words
from daemon.execution.explanations import Explanations
from daemon.execution.previews import Previews
from daemon.web.approval_view import ApprovalView, approval_view
from daemon.web.deciding import Visit, add_decision_page
from daemon.web.forms import Form
from daemon.web.renderer import HEADERS, Renderer

_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class ApprovalPages:
    """Shows approvals, and takes decisions about them."""

    approvals: Approvals
    explanations: Explanations
    previews: Previews
    renderer: Renderer

    def add_to(self, app: FastAPI) -> None:
        """Add the page of an approval."""
        add_decision_page(app, self.renderer, folder="approvals", word="approval", show=self._show, decide=self._decide)

    async def _view_of(self, approval: Approval, visit: Visit, *, whole: bool) -> ApprovalView:
        explanation = await self.explanations.explain(approval)
        preview = await self.previews.show(approval, by=visit.who)
        return approval_view(approval, explanation, preview, whole=whole)

    async def _show(
        self, approval_id: str, visit: Visit, whole: bool, *, notice: str = "", status: int = 200
    ) -> Response:
        try:
            approval = await self.approvals.get(approval_id)
        except Failure as failure:
            return self.renderer.page("message.html", status=404, title="No such approval", message=failure.message)
        return self.renderer.page(
            "approval.html",
            status=status,
            approval=approval,
            asker=in_words(str(approval.actor)),
            asked_by=approval.actor.in_words(),
            decided_by=None if approval.decided_by is None else approval.decided_by.in_words(),
            view=await self._view_of(approval, visit, whole=whole),
            whole=whole,
            outcome=None if approval.outcome is None else json.dumps(approval.outcome, indent=2, ensure_ascii=False),
            notice=notice,
            explanation=explain(approval.state),
            csrf=visit.browser.csrf_token,
            rfc3339=rfc3339,
            refresh=approval.state in {ApprovalState.APPROVED, ApprovalState.RUNNING},
        )

    async def _decide(self, approval_id: str, visit: Visit, form: Form) -> Response:
        whole, verdict = form.one("whole") == "yes", form.one("verdict")
        if verdict not in {"approve", "deny"}:
            notice = "Nothing was changed: press one of the buttons."
            return await self._show(approval_id, visit, whole, notice=notice, status=400)
        reason = form.one("reason").strip()[:_LONGEST_REASON] or None
        try:
            if verdict == "approve":
                approval = await self.approvals.get(approval_id)
                unseen = _unseen(await self._view_of(approval, visit, whole=whole))
                if unseen is not None and approval.state is ApprovalState.PENDING:
                    return await self._show(approval_id, visit, whole, notice=unseen, status=409)
            await self.approvals.decide(approval_id, approve=verdict == "approve", by=visit.who, reason=reason)
        except StaleApprovalError as stale:
            return await self._show(approval_id, visit, whole, notice=f"Nothing was changed. {stale}", status=409)
        except Failure as failure:
            return self.renderer.page("message.html", status=409, title="Nothing was changed", message=failure.message)
        return RedirectResponse(f"/approvals/{approval_id}", status_code=303, headers=HEADERS)


def _unseen(view: ApprovalView) -> str | None:
    """Say why a request cannot be approved from the page that sent the form; None if all of it was on the page."""
    if not view.explanation.complete:
        return f"Nothing was changed. {view.explanation.message}"
    if view.left_out:
        return f"Nothing was changed: {view.left_out:,} characters were not on the page. Show all of it, then decide."
    return None

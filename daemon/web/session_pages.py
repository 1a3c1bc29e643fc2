"""The page on which a person looks at what an agent changed, lands it or throws it away. Plain HTML, no script.

As on the page of an approval, no key that is pressed decides: the first button, which browsers press by themselves,
decides later; nothing that would run later is ticked beforehand; throwing away is asked twice.
"""

from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.responses import Response

from daemon.core.failures import Failure
from daemon.core.wire_paths import from_wire
from daemon.web.deciding import Visit, add_decision_page
from daemon.web.forms import Form
from daemon.web.renderer import Renderer
from daemon.web.session_view import SessionView, session_view
from daemon.workspaces.decisions import Decision, How
from daemon.workspaces.service import Workspaces

_CHANGED = "Nothing landed: the workspace is not as it was on the page. This is how it is now."
_UNKNOWN = "Nothing was changed: press one of the buttons."
_BUSY = "Files are being changed just now, so their differences cannot be shown. Open the page again."
_SURE = "This throws away everything that did not land. It cannot be had back."


@dataclass(frozen=True, slots=True)
class SessionPages:
    """Shows workspaces, and takes decisions about them."""

    workspaces: Workspaces
    renderer: Renderer

    def add_to(self, app: FastAPI) -> None:
        """Add the page of a workspace."""
        add_decision_page(app, self.renderer, folder="sessions", word="session", show=self._show, decide=self._decide)

    async def _view_of(self, session_id: str, *, whole: bool) -> SessionView:
        difference = await self.workspaces.difference(session_id)
        changes = await self.workspaces.changes(session_id)
        commits = await self.workspaces.commits(session_id) if changes["may_have_commits"] else None
        # The digest that the form names must be that of the differences on the page.
        same = difference["plan"] == changes["plan"]
        lines = difference["lines"] if same else [{"mark": "note", "text": _BUSY}]
        return session_view(changes, commits, lines, whole=whole, steady=same)

    async def _show(
        self,
        session_id: str,
        visit: Visit,
        whole: bool = False,
        *,
        notice: str = "",
        status: int = 200,
        sure: bool = False,
    ) -> Response:
        try:
            layer = await self.workspaces.show(session_id)
            view = await self._view_of(session_id, whole=whole)
        except Failure as failure:
            return self.renderer.page("message.html", status=404, title="No such workspace", message=failure.message)
        return self.renderer.page(
            "session.html",
            status=status,
            layer=layer,
            view=view,
            notice=notice,
            csrf=visit.browser.csrf_token,
            sure=sure,
        )

    async def _decide(self, session_id: str, visit: Visit, form: Form) -> Response:
        verdict = form.one("verdict")
        if verdict == "discard":
            return await self._show(session_id, visit, notice=_SURE, sure=True)
        try:
            if verdict == "discard-for-good":
                await self.workspaces.discard(session_id, by=visit.who, how=How.PAGE)
                message = "What the agent changed and you did not land is gone."
                return self.renderer.page("message.html", title="Thrown away", message=message)
            if verdict == "land":
                return await self._land(session_id, visit, form)
        except Failure as failure:
            return await self._show(session_id, visit, notice=f"Nothing landed. {failure.message}", status=409)
        return await self._show(session_id, visit, notice=_UNKNOWN, status=400)

    async def _land(self, session_id: str, visit: Visit, form: Form) -> Response:
        # The numbers of the form mean places in the list that the plan is of, and nothing in another list.
        changes = await self.workspaces.changes(session_id, counted=False)
        if changes["plan"] != form.one("plan"):
            return await self._show(session_id, visit, notice=_CHANGED, status=409)
        items = changes["changes"]
        ticked = [int(each) for each in form.all("yes") if each.isascii() and each.isdigit()]
        decision = Decision(
            by=visit.who,
            how=How.PAGE,
            plan=form.one("plan"),
            commits_plan=form.one("commits_plan"),
            yes_to=frozenset(from_wire(items[number]["path"]) for number in ticked if number < len(items)),
        )
        outcome = await self.workspaces.land(session_id, decision)
        return self.renderer.page("landed.html", outcome=outcome.as_json(), session=session_id)

"""The page on which a person looks at what an agent changed, lands it or throws it away. Plain HTML, no script.

As on the page of an approval, no key that is pressed decides: the first button, which browsers press by themselves,
decides later; nothing that would run later is ticked beforehand; throwing away is asked twice.
"""

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from daemon.api.browser import BrowserSession
from daemon.api.services import Services
from daemon.core.failures import Failure
from daemon.core.wire_paths import from_wire
from daemon.web.forms import Form, read_form
from daemon.web.renderer import HEADERS, Renderer
from daemon.web.session_view import SessionView, session_view
from daemon.workspaces.decisions import Decision, How

_CHANGED = "Nothing landed: the workspace is not as it was on the page. This is how it is now."
_STALE = "The form is too old or was not ours. Open the page again and decide there."
_UNKNOWN = "Nothing was changed: press one of the buttons."
_BUSY = "Files are being changed just now, so their differences cannot be shown. Open the page again."
_SURE = "This throws away everything that did not land. It cannot be had back."


def add_session_pages(app: FastAPI, services: Services, renderer: Renderer) -> None:
    """Add the page of a workspace."""
    workspaces = services.workspaces

    async def view_of(session_id: str, *, whole: bool) -> SessionView:
        difference = await workspaces.difference(session_id)
        changes = await workspaces.changes(session_id)
        commits = await workspaces.commits(session_id) if changes["may_have_commits"] else None
        # The digest that the form names must be that of the differences on the page.
        same = difference["plan"] == changes["plan"]
        lines = difference["lines"] if same else [{"mark": "note", "text": _BUSY}]
        return session_view(changes, commits, lines, whole=whole, steady=same)

    async def show(
        session_id: str,
        browser: BrowserSession,
        *,
        whole: bool = False,
        notice: str = "",
        status: int = 200,
        sure: bool = False,
    ) -> Response:
        try:
            layer = await workspaces.show(session_id)
            view = await view_of(session_id, whole=whole)
        except Failure as failure:
            return renderer.page("message.html", status=404, title="No such workspace", message=failure.message)
        return renderer.page(
            "session.html",
            status=status,
            layer=layer,
            view=view,
            notice=notice,
            csrf=browser.csrf_token,
            sure=sure,
        )

    @app.get("/sessions/{session_id}", include_in_schema=False)
    async def session_page(request: Request, session_id: str, whole: bool = False) -> Response:
        """Show what one agent changed."""
        browser: BrowserSession | None = request.scope.get("aileron.browser")
        if browser is None:
            return renderer.sign_in(f"session {session_id}")
        return await show(session_id, browser, whole=whole)

    @app.post("/sessions/{session_id}", include_in_schema=False)
    async def decide(request: Request, session_id: str) -> Response:
        """Carry out the decision of a form."""
        browser: BrowserSession | None = request.scope.get("aileron.browser")
        if browser is None:
            return renderer.sign_in(f"session {session_id}")
        form = await read_form(request, browser)
        if form is None:
            return renderer.page("message.html", status=403, title="Nothing was changed", message=_STALE)
        verdict = form.one("verdict")
        if verdict == "later":
            return RedirectResponse("/", status_code=303, headers=HEADERS)
        if verdict == "discard":
            return await show(session_id, browser, notice=_SURE, sure=True)
        try:
            if verdict == "discard-for-good":
                await workspaces.discard(session_id, by="user", how=How.PAGE)
                message = "What the agent changed and you did not land is gone."
                return renderer.page("message.html", title="Thrown away", message=message)
            if verdict == "land":
                return await land(session_id, browser, form)
        except Failure as failure:
            return await show(session_id, browser, notice=f"Nothing landed. {failure.message}", status=409)
        return await show(session_id, browser, notice=_UNKNOWN, status=400)

    async def land(session_id: str, browser: BrowserSession, form: Form) -> Response:
        # The numbers of the form mean places in the list that the plan is of, and nothing in another list.
        changes = await workspaces.changes(session_id, counted=False)
        if changes["plan"] != form.one("plan"):
            return await show(session_id, browser, notice=_CHANGED, status=409)
        items = changes["changes"]
        ticked = [int(each) for each in form.all("yes") if each.isascii() and each.isdigit()]
        decision = Decision(
            how=How.PAGE,
            plan=form.one("plan"),
            commits_plan=form.one("commits_plan"),
            yes_to=frozenset(from_wire(items[number]["path"]) for number in ticked if number < len(items)),
        )
        outcome = await workspaces.land(session_id, decision)
        return renderer.page("landed.html", outcome=outcome.as_json(), session=session_id)

"""The frame of every page on which a person decides: who may see it, and what a form needs before it counts.

A page for a decision shows one thing, and its form sends a verdict about it. No browser that is not signed in sees one,
no form of somebody else's counts, and the verdict `later` changes nothing, whatever the page is about.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from daemon.api.browser import BrowserSession
from daemon.api.principals import principal_of
from daemon.core.principal import Principal
from daemon.web.forms import Form, read_form
from daemon.web.renderer import HEADERS, Renderer

_STALE = "The form is too old or was not ours. Open the page again and decide there."


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser that was signed in, and the person who sits at it."""

    browser: BrowserSession
    who: Principal


Show = Callable[[str, Visit, bool], Awaitable[Response]]
"""Shows one thing, by its id; the whole of it if the last is true."""

Decide = Callable[[str, Visit, Form], Awaitable[Response]]
"""Carries out what a form says about one thing, by its id."""


def add_decision_page(app: FastAPI, renderer: Renderer, *, folder: str, word: str, show: Show, decide: Decide) -> None:
    """Add the page of one kind of thing, at `/<folder>/<id>`; `aileron open <word> <id>` leads there."""

    @app.get(f"/{folder}/{{thing}}", include_in_schema=False)
    async def page(request: Request, thing: str, whole: bool = False) -> Response:
        """Show one thing for a decision; long texts are folded unless the whole is asked for."""
        visit = await _visit(request)
        return renderer.sign_in(f"{word} {thing}") if visit is None else await show(thing, visit, whole)

    @app.post(f"/{folder}/{{thing}}", include_in_schema=False)
    async def decided(request: Request, thing: str) -> Response:
        """Carry out the decision of a form."""
        visit = await _visit(request)
        if visit is None:
            return renderer.sign_in(f"{word} {thing}")
        form = await read_form(request, visit.browser)
        if form is None:
            return renderer.page("message.html", status=403, title="Nothing was changed", message=_STALE)
        if form.one("verdict") == "later":
            return RedirectResponse("/", status_code=303, headers=HEADERS)
        return await decide(thing, visit, form)


async def _visit(request: Request) -> Visit | None:
    browser = request.scope.get("aileron.browser")
    return None if browser is None else Visit(browser, await principal_of(request))

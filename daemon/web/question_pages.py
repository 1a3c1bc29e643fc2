"""The page on which a person answers what a server asks: who asks, for what, and its form. Plain HTML, no script.

No key that is pressed while typing sends anything: the first button, which browsers press by themselves, only looks the
answer over and says beside each field what it does not take.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response

from daemon.base.clock import rfc3339
from daemon.core.failures import Failure
from daemon.questions.answering import Answer, filled
from daemon.questions.question import Action, Question
from daemon.questions.service import Questions
from daemon.web.deciding import Visit, add_decision_page
from daemon.web.forms import Form
from daemon.web.question_view import fields_of, typed_in
from daemon.web.renderer import HEADERS, Renderer

_LOOKED_OVER = "Nothing was sent. Every field takes what is in it; press Send to send it."
_UNFIT = "Nothing was sent. See what is said beside the fields."
_UNKNOWN = "Nothing was sent: press one of the buttons."


@dataclass(frozen=True, slots=True)
class QuestionPages:
    """Shows questions, and takes answers to them."""

    questions: Questions
    renderer: Renderer

    def add_to(self, app: FastAPI) -> None:
        """Add the page of a question."""
        add_decision_page(app, self.renderer, folder="questions", word="question", show=self._show, decide=self._decide)

    async def _show(self, question_id: str, visit: Visit, _: bool) -> Response:
        try:
            question = self.questions.get(question_id)
        except Failure as failure:
            return self.renderer.page("message.html", status=404, title="No such question", message=failure.message)
        return self._page(question, visit)

    def _page(
        self,
        question: Question,
        visit: Visit,
        *,
        form: Form | None = None,
        problems: Mapping[str, str] | None = None,
        notice: str = "",
        status: int = 200,
    ) -> Response:
        return self.renderer.page(
            "question.html",
            status=status,
            question=question,
            about=question.about,
            asked=question.asked,
            fields=fields_of(question, form, problems or {}),
            notice=notice,
            csrf=visit.browser.csrf_token,
            rfc3339=rfc3339,
        )

    async def _decide(self, question_id: str, visit: Visit, form: Form) -> Response:
        try:
            question = self.questions.get(question_id)
        except Failure as failure:
            return self.renderer.page("message.html", status=404, title="No such question", message=failure.message)
        verdict = form.one("verdict")
        if verdict not in {"check", *Action}:
            return self._page(question, visit, form=form, notice=_UNKNOWN, status=400)
        sends = verdict in {"check", Action.ACCEPT} and question.asked.form is not None
        action = Action.ACCEPT if verdict == "check" else Action(verdict)
        answer = Answer(action=action, typed=typed_in(question, form) if sends else None)
        try:
            if question.is_open:
                filled(question, answer)
            if verdict == "check" and question.is_open:
                return self._page(question, visit, form=form, notice=_LOOKED_OVER)
            await self.questions.answer(question_id, answer, by=visit.who)
        except Failure as failure:
            return self._refused(question_id, visit, form, failure)
        return RedirectResponse(f"/questions/{question_id}", status_code=303, headers=HEADERS)

    def _refused(self, question_id: str, visit: Visit, form: Form, failure: Failure) -> Response:
        question = self.questions.get(question_id)
        problems: Mapping[str, Any] = failure.details.get("fields") or {}
        notice = _UNFIT if problems else failure.message
        return self._page(question, visit, form=form, problems=problems, notice=notice, status=400 if problems else 409)

"""Questions of servers that the person answers: what waits, what is asked exactly, and the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field

from daemon.api.answers import Body, question_url
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Newest, cut
from daemon.api.principals import Who
from daemon.core.forms.fields import MOST_TEXT
from daemon.core.forms.reading import MOST_CHOICES, MOST_FIELDS
from daemon.questions.answering import Answer
from daemon.questions.question import Action, Question, QuestionState
from daemon.questions.service import Questions

_LIST = "questions"
QuestionId = Annotated[str, Path(max_length=100)]
_Typed = Annotated[list[Annotated[str, Field(max_length=MOST_TEXT)]], Field(max_length=MOST_CHOICES)]


class AnswerBody(Body):
    """What the person answers."""

    action: Annotated[Action, Field(strict=False)]
    content: dict[str, Any] | None = Field(
        default=None, description="With `accept`: the values by the names of the fields, in the types of the form."
    )
    typed: dict[str, _Typed] | None = Field(
        default=None,
        max_length=MOST_FIELDS,
        description="In place of `content`: the values as texts, which are read by what each field takes.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    questions: Questions
    control_url: str


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    questions = uses.questions

    def shown(question: Question) -> dict[str, Any]:
        return question.as_json() | {"answer_url": question_url(uses.control_url, question.id)}

    @routes.get("/v1/questions", operation_id="questions_list")
    async def list_questions(part: Newest, state: QuestionState | None = None) -> ListPart:
        """Return questions, the newest first: those that wait, and those that ended not long ago."""
        found: Sequence[Question] = [each for each in questions.all() if state in (None, each.state)]
        items, cursor = cut(_LIST, found, key=lambda each: (each.id,), part=part, newest_first=True)
        return ListPart(items=[shown(each) for each in items], next_cursor=cursor)

    @routes.get("/v1/questions/{question_id}", operation_id="question_show")
    async def show(question_id: QuestionId) -> Mapping[str, Any]:
        """Return one question: which server asks, for which call, and every field of its form."""
        return shown(questions.get(question_id))

    @routes.post("/v1/questions/{question_id}/answer", operation_id="question_answer")
    async def answer(question_id: QuestionId, body: AnswerBody, who: Who) -> Mapping[str, Any]:
        """Answer a question, once. A value that its field does not take is refused, and nothing is answered."""
        given = Answer(action=body.action, content=body.content, typed=body.typed)
        return shown(await questions.answer(question_id, given, by=who))

    return routes

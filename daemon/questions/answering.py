"""What a person answers, and whether it fits the question. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.visible import visible
from daemon.questions.question import Action, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: values in JSON, or as a person typed them. Never both, and none unless it accepts."""

    action: Action
    content: Mapping[str, Any] | None = None
    typed: Mapping[str, Sequence[str]] | None = None


def filled(question: Question, answer: Answer) -> Mapping[str, Any]:
    """Return the values that the server is told; raise a Failure that says which fields do not take theirs."""
    form = question.asked.form
    if answer.content is not None and answer.typed is not None:
        raise _wrong("The values come as `content` or as `typed`, not as both.", {})
    if answer.action is not Action.ACCEPT or form is None:
        if answer.content or answer.typed:
            raise _wrong(
                "The question has no form, so no values are sent."
                if form is None
                else "Values are sent only with `accept`.",
                {},
            )
        return {}
    result = form.typed(answer.typed) if answer.typed is not None else form.checked(answer.content or {})
    if result.problems:
        named = "; ".join(f"{visible(name)}: {why}" for name, why in result.problems.items())
        raise _wrong(f"Nothing was answered. {named}.", {"fields": dict(result.problems)})
    return result.content


def _wrong(message: str, details: Mapping[str, Any]) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message[:2000], boundary=Boundary.USER, details=details)

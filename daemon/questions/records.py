"""What the log says of questions: what was asked, and how it ended. Never what a person typed.

An answer may be private, and a digest of a short one gives it away to whoever tries the few values it can have. So the
log names the fields that were filled in, and has a digest of the question only.
"""

from collections.abc import Iterable
from typing import Any

from daemon.audit.events import AuditEvent
from daemon.core.principal import DAEMON, Principal
from daemon.core.visible import visible
from daemon.core.vocabulary import Attr, EventType
from daemon.questions.question import Action, Question

_MOST_MESSAGE = 500


def asked(question: Question) -> AuditEvent:
    """Return the event of a question that a person is shown now."""
    form, page = question.asked.form, question.asked.page
    payload: dict[str, Any] = {
        **_known(question),
        Attr.QUESTION_MESSAGE: visible(question.asked.message)[:_MOST_MESSAGE],
    }
    if form is not None:
        payload[Attr.QUESTION_FIELDS] = [visible(each.name) for each in form.fields]
    if page is not None:
        payload[Attr.QUESTION_HOST] = page.host
    return _event(EventType.QUESTION_ASKED, question, question.about.asker, payload)


def answered(question: Question, action: Action, fields: Iterable[str], *, by: Principal) -> AuditEvent:
    """Return the event of an answer: who gave it, and which fields they filled in."""
    payload = {
        **_known(question),
        Attr.QUESTION_ACTION: action.value,
        Attr.QUESTION_FIELDS: [visible(name) for name in fields],
    }
    return _event(EventType.QUESTION_ANSWERED, question, by, payload)


def ended(question: Question) -> AuditEvent:
    """Return the event of a question that nobody answered."""
    payload = {**_known(question), Attr.QUESTION_STATE: question.state.value, Attr.QUESTION_REASON: question.reason}
    return _event(EventType.QUESTION_ENDED, question, DAEMON, payload)


def _known(question: Question) -> dict[str, Any]:
    others = [each.execution for each in question.about.others]
    return {
        **({Attr.QUESTION_OTHER_CALLS: others} if others else {}),
        Attr.QUESTION_ID: question.id,
        Attr.QUESTION_DIGEST: question.asked.digest,
        Attr.EXECUTION_ID: question.about.execution,
        Attr.TOOL_ORIGIN: question.about.origin,
    }


def _event(kind: EventType, question: Question, actor: Principal, payload: dict[str, Any]) -> AuditEvent:
    return AuditEvent(
        type=kind, session=question.about.session, actor=actor, action=question.about.tool, payload=payload
    )

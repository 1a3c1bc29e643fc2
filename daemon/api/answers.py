"""How runs and approvals look to those who asked, the same on both APIs."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from daemon.approvals.endings import closing_failure
from daemon.approvals.machine import ApprovalState
from daemon.approvals.record import Approval
from daemon.core.failures import FailureClass
from daemon.core.json_writing import json_writer
from daemon.core.outcome import Content
from daemon.execution.held import HeldCall
from daemon.execution.requests import Finished, PersonAsked, Waiting

MAX_WAIT_SECONDS = 60.0
_SHORT_ID = 8
"""So many characters of the end of an id are enough for the command line."""
_WRITE = json_writer(ascii_only=False)
_CLOSED = frozenset({ApprovalState.DENIED, ApprovalState.EXPIRED, ApprovalState.VOID})


class Body(BaseModel):
    """A request body: exactly the named keys."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AsciiJson(JSONResponse):
    """JSON with everything beyond ASCII escaped: names of files that are not UTF-8 have no other form."""

    def render(self, content: Any) -> bytes:
        """Return the text as bytes."""
        return json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


class CallJson(JSONResponse):
    """The answer to a call, as the framework would write it: there is one for nearly every request."""

    def render(self, content: Any) -> bytes:
        """Return the text as bytes."""
        return _WRITE(content).encode()

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Note the two headers that there are."""
        if headers is not None:
            super().init_headers(headers)
            return
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), (b"content-type", b"application/json")]


class RunBody(Body):
    """What an action is run with."""

    arguments: dict[str, Any] = Field(default_factory=dict)


class CallBody(RunBody):
    """What a tool is called with."""

    answers: list[
        Literal["elicitation/create", "elicitation/url", "sampling/createMessage", "sampling/tools", "sampling/context"]
    ] = Field(default_factory=list, max_length=8)
    """What the caller can answer if the tool asks back; for calls that are answered as a stream."""
    log: Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] | None = None
    """The lowest level of lines for the log that the caller wants to hear; without it, none; for streams, too."""


class QuestionBody(Body):
    """The answer to what a tool asks back; without a result the person is asked instead."""

    result: dict[str, Any] | None = None


class RunFinished(BaseModel):
    """The action ran; this is what it returned."""

    audit_id: str
    result: Any


class CallFinished(RunFinished):
    """The tool ran; this is what it returned, as blocks for a model and as data."""

    content: list[dict[str, Any]]
    is_error: bool
    """The tool answered, and said that it failed."""
    meta: dict[str, Any] | None


class RunWaiting(BaseModel):
    """A person must act first: decide about the call, or answer what its tool asks back while it runs."""

    approval_id: str
    """By this its result is asked for: the id of an approval, or of a call that goes on by itself."""
    review_url: str
    message: str
    asked_by: str | None = None
    """The server that asks the person while the call runs; absent where nothing has run yet."""


class ApprovalResult(BaseModel):
    """Where an approval stands, and the result or the failure once there is one."""

    approval_id: str
    status: str
    message: str
    result: Any = None
    content: list[dict[str, Any]] | None = None
    is_error: bool = False
    meta: dict[str, Any] | None = None
    audit_id: str | None = None
    error: dict[str, Any] | None = None
    asked_by: str | None = None
    """The server that asks the person while the call runs."""


_MESSAGES = {
    ApprovalState.PENDING: "Nobody has decided yet.",
    ApprovalState.APPROVED: "It was approved and has not started yet.",
    ApprovalState.RUNNING: "It was approved and is running.",
    ApprovalState.COMPLETED: "It was approved and has run.",
    ApprovalState.FAILED: "It was approved, ran and failed.",
    ApprovalState.UNKNOWN: "It was approved and interrupted; whether it took effect is not known.",
    ApprovalState.DENIED: "A person denied it.",
    ApprovalState.EXPIRED: "It expired; nothing was run.",
    ApprovalState.VOID: "It is void; nothing was run.",
}


def review_url(control_url: str, approval_id: str) -> str:
    """Return the page on which a person decides."""
    return f"{control_url}/approvals/{approval_id}"


def question_url(control_url: str, question_id: str) -> str:
    """Return the page on which a person answers."""
    return f"{control_url}/questions/{question_id}"


def run_answer(outcome: Finished | Waiting | PersonAsked, *, control_url: str) -> JSONResponse:
    """Return 200 with the result, or 202 with what a person can do for it."""
    if isinstance(outcome, Finished):
        return JSONResponse({"audit_id": outcome.audit_id, "result": outcome.result})
    if isinstance(outcome, PersonAsked):
        return _asked_answer(outcome, control_url=control_url)
    approval = outcome.approval
    url = review_url(control_url, approval.id)
    message = (
        f"Ask for the result of this approval; do not repeat the call. Nothing has run yet: a person decides at {url} "
        f"or with `aileron open approval {approval.id[-_SHORT_ID:]}`."
    )
    return JSONResponse({"approval_id": approval.id, "review_url": url, "message": message}, status_code=202)


def _asked_answer(outcome: PersonAsked, *, control_url: str) -> JSONResponse:
    question = outcome.question
    url, server = question_url(control_url, question.id), question.about.origin
    message = (
        f"Ask for the result of this call; do not repeat it. It runs, and the server {server} asks the person "
        f"something before it goes on: they answer at {url} or with `aileron open question {question.id[-_SHORT_ID:]}`."
    )
    answer = {"approval_id": outcome.execution, "review_url": url, "message": message, "asked_by": server}
    return JSONResponse(answer, status_code=202)


def call_answer(outcome: Finished | Waiting | PersonAsked, *, control_url: str) -> JSONResponse:
    """Return what `run_answer` returns, with the result as content blocks beside it."""
    if not isinstance(outcome, Finished):
        return run_answer(outcome, control_url=control_url)
    return CallJson(_finished(outcome))


def finished_body(outcome: Finished) -> bytes:
    """Return the body of what `call_answer` returns for a call that has run."""
    return _WRITE(_finished(outcome)).encode()


def _finished(outcome: Finished) -> dict[str, Any]:
    return {
        "audit_id": outcome.audit_id,
        "content": content_blocks(outcome.result, outcome.content),
        "result": outcome.result,
        "is_error": outcome.failed_by_tool,
        "meta": outcome.meta,
    }


def held_answer(call: HeldCall, *, control_url: str) -> JSONResponse:
    """Return where a call stands that goes on because a person was asked, in the form of `approval_answer`."""
    answer: dict[str, Any] = {"approval_id": call.execution}
    failure = call.failure
    if call.outcome is not None:
        answer |= {"status": "failed" if call.outcome.failed_by_tool else "completed", "message": "It has run."}
        answer |= _finished(call.outcome)
    elif failure is not None:
        unknown = failure.failure_class is FailureClass.OUTCOME_UNKNOWN
        answer |= {"status": "unknown" if unknown else "failed", "message": failure.message}
        answer |= {"error": failure.envelope()["error"], "audit_id": failure.audit_id}
    else:
        url = question_url(control_url, call.question)
        message = f"It runs. The server {call.asked_by} asked the person something: {url}"
        answer |= {"status": "running", "message": message, "asked_by": call.asked_by}
    return JSONResponse(answer)


def content_blocks(result: Any, content: Content | None) -> list[dict[str, Any]]:
    """Return the blocks that a tool gave, or its result as the one text there is."""
    if content is not None:
        return [dict(block) for block in content]
    return [{"type": "text", "text": result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)}]


def approval_answer(approval: Approval) -> JSONResponse:
    """Return where an approval stands, to the one who asked for it."""
    answer: dict[str, Any] = {
        "approval_id": approval.id,
        "status": approval.state.value,
        "message": _MESSAGES[approval.state],
    }
    if approval.state in _CLOSED:
        failure = closing_failure(approval)
        answer |= {"error": failure.envelope()["error"], "message": failure.message, "audit_id": failure.audit_id}
    elif approval.outcome is not None:
        answer |= approval.outcome
        if "error" in approval.outcome:
            answer |= {
                "message": approval.outcome["error"]["message"],
                "audit_id": approval.outcome["error"]["audit_id"],
            }
    return JSONResponse(answer)

"""What a model is told about each outcome: the same in words and as data, because clients show it one or the other."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aileron_mcp.next_steps import next_step
from aileron_mcp.outcomes import CallResult

STATUS_TOOL = "check_action_status"
AUDIT_ID = "aileron/audit_id"
"""Where in `_meta` the entry of the log is named, if the result is not ours to add to."""
_DEEPEST = 100
"""Levels; the library writes about 250, and what is wrapped around the result takes a few."""
_IN_WORDS = frozenset({"limit", "cause"})
"""Details for programs: which limit, and the class of what came before. The message has them in words."""
_SHORT_ID = 8
"""So many characters of the end of an id are enough for the command line."""
_WAITING = {
    "pending": "Nobody decided yet.",
    "approved": "Not started.",
    "running": "Under way.",
}


class Reply(NamedTuple):
    """The answer to one tool call."""

    said: Any
    """What is told in words: a text, or a value that is written as JSON."""
    structured: Any
    failed: bool = False
    content: tuple[Mapping[str, Any], ...] = ()
    """The result in blocks; without any, the text is the one block there is."""
    meta: Mapping[str, Any] | None = None
    """What is said for programs beside it."""

    @property
    def text(self) -> str:
        """Return it in words."""
        return _written(self.said)


_READ = "Read the blocks of text."
_READ_ON = "Read the blocks of text; the last one says how to read on."


def finished(*, audit_id: str, result: Any, content: tuple[Mapping[str, Any], ...] = (), failed: bool = False) -> Reply:
    """Tell that a tool ran, and what it said; `failed` if it said that it failed."""
    data = {"result": _flat(result), "audit_id": audit_id}
    return Reply(said=result, structured=data, content=content, failed=failed)


def handed_on(outcome: CallResult, *, shaped: bool, objects_only: bool) -> Reply:
    """Hand on what the tool of a server answered as it is; `shaped` if clients insist on structured content.

    In the older era that is an object or nothing (`objects_only`): anything else is left to the blocks of text.
    """
    audit_id, result, content, failed, meta = outcome
    data = _flat(result) if isinstance(result, (dict, list)) else result
    if objects_only and not isinstance(data, dict):
        data = None
    if data is None and shaped and not failed:
        data = {"status": "cut", "next_step": _READ_ON if result is None else _READ}
    return Reply(result, data, failed, content, {**(meta or {}), AUDIT_ID: audit_id})


def waiting(*, approval_id: str, review_url: str, asked_by: str = "") -> Reply:
    """Tell that a person must act first, how to find out what became of the call, and where they can.

    `asked_by` is the server that asks them while the call runs; without one, nothing has run yet.
    """
    command, short = "approval show", approval_id[-_SHORT_ID:]
    what = "Nothing has run yet: the person decides at"
    if asked_by:
        command, short = "open question", review_url[-_SHORT_ID:]
        what = f"It runs, and the server {asked_by} asks the person something: they answer at"
    how = f"or with `aileron {command} {short}`"
    step = f"Call {STATUS_TOOL} with approval_id"
    data = {
        "status": "pending",
        "next_step": f"{step}, not the tool again.",
        "approval_id": approval_id,
        "message": f"{what} review_url {how}.",
        "review_url": review_url,
    }
    text = f'{step} "{approval_id}", not the tool again. {what} {review_url} {how}.'
    return Reply(said=text, structured=data)


def standing(answer: Mapping[str, Any]) -> Reply:
    """Tell where an approval stands."""
    status = str(answer.get("status"))
    known: dict[str, Any] = {"status": status}
    if answer.get("error"):
        told = failure({"error": answer["error"]})
        return Reply(said=told.text, structured={**known, **told.structured}, failed=True)
    if status == "completed" or answer.get("content"):
        result = answer.get("result")
        blocks = answer.get("content") or ()
        if result is None and blocks:
            # Some agents show a model the structured content only.
            result = "\n".join(str(each["text"]) for each in blocks if each.get("type") == "text")
        data = known | {"result": _flat(result), "audit_id": answer.get("audit_id")}
        said = ({"type": "text", "text": f"{status}:"}, *blocks) if blocks else ()
        failed = bool(answer.get("is_error"))
        return Reply(said=f"{status}: {_written(result)}", structured=data, content=said, failed=failed)
    if status in _WAITING:
        step = f"Call {STATUS_TOOL} again."
        asked = {"message": str(answer["message"])} if answer.get("asked_by") else {}
        return Reply(
            said=f"{status}: {step} {asked.get('message', _WAITING[status])}",
            structured=known | {"next_step": step, "approval_id": answer["approval_id"], **asked},
        )
    message = str(answer.get("message", ""))
    return Reply(said=f"{status}: {message}", structured=known | {"message": message}, failed=True)


def not_there(envelope: Mapping[str, Any], names: Iterable[str]) -> Reply:
    """Tell that there is no such tool, and which there are."""
    error = envelope["error"]
    details = {**(error.get("details") or {}), "tools": sorted(names)}
    return failure({"error": {**error, "details": details}})


def failure(envelope: Mapping[str, Any], *, step: str = "") -> Reply:
    """Tell a failure: what to do next, what happened, and what else is known of it that the message does not say."""
    error = envelope["error"]
    step, message = (step, str(error.get("message"))) if step else next_step(error)
    told = {"class": error.get("class"), "message": message}
    if error.get("retriable"):
        told["retriable"] = True
    lines = [f"{step} {told['class']}: {told['message']}"]
    details = _unsaid(error.get("details") or {}, str(told["message"]))
    if details:
        told["details"] = details
        lines.append(_written(details))
    if error.get("audit_id"):
        told["audit_id"] = error["audit_id"]
        lines.append(f"({error['audit_id']})")
    return Reply(said="\n".join(lines), structured={"next_step": step, "error": told}, failed=True)


def trouble(message: str, *, failure_class: str, retriable: bool, step: str = "") -> Reply:
    """Tell a failure that happened before, or instead of, an answer of the daemon, in the form of its answers."""
    return failure({"error": {"class": failure_class, "message": message, "retriable": retriable}}, step=step)


def _unsaid(details: Mapping[str, Any], message: str) -> Mapping[str, Any]:
    """Return the details without those that the message has already."""
    return {name: value for name, value in details.items() if name not in _IN_WORDS and not _is_said(value, message)}


def _is_said(value: Any, message: str) -> bool:
    if isinstance(value, list):
        return all(_is_said(each, message) for each in value)
    return value is None or (isinstance(value, str) and value in message)


def _flat(result: Any) -> Any:
    """Return a result as it is, or as text where it is nested so deeply that the MCP library cannot write it."""
    return result if _fits(result, _DEEPEST) else _written(result)


def _fits(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_fits(inner, levels - 1) for inner in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_fits(inner, levels - 1) for inner in value)
    return True


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""What a model is told about each outcome: the same in words and as data, because clients show it one or the other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STATUS_TOOL = "check_action_status"
_DEEPEST = 100
"""Levels; the library writes about 250, and what is wrapped around the result takes a few."""
_WAITING = frozenset({"pending", "approved", "running"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one tool call."""

    text: str
    structured: Mapping[str, Any]
    failed: bool = False
    content: tuple[Mapping[str, Any], ...] = ()
    """The result in blocks; without any, the text is the one block there is."""


def finished(*, audit_id: str, result: Any, content: tuple[Mapping[str, Any], ...] = (), failed: bool = False) -> Reply:
    """Tell that a tool ran, and what it said; `failed` if it said that it failed."""
    data = {"result": _flat(result), "audit_id": audit_id}
    return Reply(text=_written(result), structured=data, content=content, failed=failed)


def waiting(*, approval_id: str, review_url: str, message: str) -> Reply:
    """Tell that a person must decide first, where they can, and how to find out what became of it."""
    how = (
        f"Nothing has run yet. Tell the person: they can review it at {review_url}, or in a terminal with "
        f"`aileron approval show {approval_id}`. Do not call the action again: call {STATUS_TOOL} with "
        f'approval_id "{approval_id}" to learn what became of this request.'
    )
    data = {
        "status": "pending",
        "approval_id": approval_id,
        "review_url": review_url,
        "review_command": f"aileron approval show {approval_id}",
        "message": message,
        "next_step": {"tool": STATUS_TOOL, "arguments": {"approval_id": approval_id, "wait_seconds": 30}},
    }
    return Reply(text=f"{message}\n{how}", structured=data)


def standing(answer: Mapping[str, Any]) -> Reply:
    """Tell where an approval stands."""
    status = str(answer.get("status"))
    message = str(answer.get("message", ""))
    if answer.get("error"):
        return Reply(text=f"{status}: {_failure_text(answer['error'])}", structured=dict(answer), failed=True)
    if status == "completed" or answer.get("content"):
        result = answer.get("result")
        data = {name: value for name, value in answer.items() if name != "content"} | {"result": _flat(result)}
        blocks = answer.get("content") or ()
        said = ({"type": "text", "text": message}, *blocks) if blocks else ()
        failed = bool(answer.get("is_error"))
        return Reply(text=f"{message}\n{_written(result)}", structured=data, content=said, failed=failed)
    if status in _WAITING:
        text = f"{status}: {message} Call {STATUS_TOOL} again; the person may take their time."
        return Reply(text=text, structured=dict(answer))
    return Reply(text=f"{status}: {message}", structured=dict(answer), failed=True)


def failure(envelope: Mapping[str, Any]) -> Reply:
    """Tell a failure with its whole envelope."""
    return Reply(text=_failure_text(envelope["error"]), structured=dict(envelope), failed=True)


def trouble(message: str, *, failure_class: str, retriable: bool) -> Reply:
    """Tell a failure that happened before, or instead of, an answer of the daemon, in the form of its answers."""
    error = {
        "class": failure_class,
        "message": message,
        "retriable": retriable,
        "boundary": "runtime",
        "audit_id": None,
        "details": {},
    }
    return Reply(text=message, structured={"error": error}, failed=True)


def _failure_text(error: Mapping[str, Any]) -> str:
    lines = [f"{error.get('class')}: {error.get('message')}"]
    if error.get("retriable"):
        lines.append("It may be tried again.")
    if error.get("class") == "outcome_unknown":
        lines.append("It may have taken effect: look before you do anything again, and tell the person.")
    if error.get("details"):
        lines.append(f"details: {_written(error['details'])}")
    if error.get("audit_id"):
        lines.append(f"audit id: {error['audit_id']}")
    return "\n".join(lines)


def _flat(result: Any) -> Any:
    """Return a result as it is, or as text where it is nested so deeply that the MCP library cannot write it."""
    return result if _fits(result, _DEEPEST) else _written(result)


def _fits(value: Any, levels: int) -> bool:
    if isinstance(value, Mapping):
        return levels > 0 and all(_fits(inner, levels - 1) for inner in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_fits(inner, levels - 1) for inner in value)
    return True


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""What a model may call: one tool for each action, and one to ask what became of an approval. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aileron_mcp.texts import STATUS_TOOL

MAX_WAIT_SECONDS = 45
"""Two agents give a call up after 60 seconds unless told otherwise."""

_STATUS_DESCRIPTION = f"""\
Ask what became of an action that waits for a person's approval. Give the approval_id from the answer that said so.
Waits up to wait_seconds (at most {MAX_WAIT_SECONDS}) for a decision and its outcome; call it again while the status is
pending, approved or running. It decides nothing, and calling the action again would only ask the person twice."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools of one moment, and the action behind each."""

    tools: tuple[Mapping[str, Any], ...]
    actions: Mapping[str, str]


def offer(actions: Iterable[Mapping[str, Any]]) -> Offer:
    """Return the tools for a list of actions, as the agent API describes them."""
    named = {str(action["tool_name"]): action for action in actions if action["tool_name"] != STATUS_TOOL}
    tools = [_tool(action) for action in named.values()]
    return Offer((*tools, _status_tool()), {name: str(action["name"]) for name, action in named.items()})


def _tool(action: Mapping[str, Any]) -> Mapping[str, Any]:
    hints = action.get("hints") or {}
    note = "\n\nA person must approve each call; the answer says how to go on." if action["approval_required"] else ""
    return {
        "name": action["tool_name"],
        "description": f"{action['description']}{note}",
        "inputSchema": action["schema"],
        "annotations": {
            "readOnlyHint": bool(hints.get("read_only", False)),
            "destructiveHint": bool(hints.get("destructive", True)),
            "idempotentHint": bool(hints.get("idempotent", False)),
            "openWorldHint": True,
        },
    }


def _status_tool() -> Mapping[str, Any]:
    return {
        "name": STATUS_TOOL,
        "description": _STATUS_DESCRIPTION,
        "inputSchema": {
            "type": "object",
            "properties": {
                "approval_id": {"type": "string", "description": "The id from the answer, apr_..."},
                "wait_seconds": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": MAX_WAIT_SECONDS,
                    "default": 20,
                    "description": "How long to wait for news.",
                },
            },
            "required": ["approval_id"],
            "additionalProperties": False,
        },
        "annotations": {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False},
    }

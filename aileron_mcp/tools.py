"""What a model may call: the tools of the daemon, and one to ask what became of an approval. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aileron_mcp.texts import STATUS_TOOL

MAX_WAIT_SECONDS = 45
"""Two agents give a call up after 60 seconds unless told otherwise."""

_STATUS_DESCRIPTION = f"""\
Tells what became of a call that waits for a person's approval. Waits up to wait_seconds (at most {MAX_WAIT_SECONDS});
call it again while the status is pending, approved or running. It decides nothing."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools of one moment, as MCP describes them, and the names of those that the daemon runs."""

    tools: tuple[Mapping[str, Any], ...]
    names: frozenset[str]


def offer(specs: Iterable[Mapping[str, Any]]) -> Offer:
    """Return the tools for a list of them, as the agent API describes them."""
    named = {str(spec["name"]): spec for spec in specs if spec["name"] != STATUS_TOOL}
    return Offer((*map(_tool, named.values()), _status_tool()), frozenset(named))


def _tool(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    said = spec.get("annotations") or {}
    note = "\n\nA person must approve each call." if spec["approval_required"] else ""
    return {
        "name": spec["name"],
        "description": f"{spec['description']}{note}",
        "inputSchema": spec["input_schema"],
        "annotations": {
            "readOnlyHint": bool(said.get("read_only", False)),
            "destructiveHint": bool(said.get("destructive", True)),
            "idempotentHint": bool(said.get("idempotent", False)),
            "openWorldHint": bool(said.get("open_world", True)),
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

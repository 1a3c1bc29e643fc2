"""What a model may call: the tools of the daemon, and one to ask what became of an approval. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aileron_mcp.texts import STATUS_TOOL

MAX_WAIT_SECONDS = 45
"""Two agents give a call up after 60 seconds unless told otherwise."""

_STATUS_DESCRIPTION = f"""\
Tells what became of a call that waits for a person: for approval, or for an answer to a server. Waits up to
wait_seconds (at most {MAX_WAIT_SECONDS}); call it again while the status is pending, approved or running. It decides
nothing."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools of one moment, as MCP describes them, and the names of those that the daemon runs."""

    tools: tuple[Mapping[str, Any], ...]
    names: frozenset[str]
    of_servers: frozenset[str] = frozenset()
    """Those that another program offers: what it answers is handed on as it is."""
    shaped: frozenset[str] = frozenset()
    """Those whose structured result has a schema, so that clients insist on one."""


def offer(specs: Iterable[Mapping[str, Any]]) -> Offer:
    """Return the tools for a list of them, as the agent API describes them."""
    named = {str(spec["name"]): spec for spec in specs if spec["name"] != STATUS_TOOL}
    tools = tuple(map(_tool, named.values()))
    return Offer(
        (*tools, _status_tool()),
        frozenset(named),
        frozenset(name for name, spec in named.items() if spec.get("kind") == "server"),
        frozenset(str(tool["name"]) for tool in tools if "outputSchema" in tool),
    )


def _tool(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    said = spec.get("annotations") or {}
    more: dict[str, Any] = {}
    if spec.get("kind") == "server":
        more["title"] = spec.get("title")
        more["outputSchema"] = output_schema(spec.get("output_schema"))
        more["_meta"] = spec.get("meta")
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
    } | {key: value for key, value in more.items() if value}


_OURS = {
    "type": "object",
    "description": "From Aileron: the call waits for a person, or its result was cut.",
    "properties": {"status": {"enum": ["pending", "cut"]}, "next_step": {"type": "string"}},
    "required": ["status", "next_step"],
}
_LOCAL = ("#/$defs/", "#/definitions/")


def output_schema(schema: Any) -> Mapping[str, Any] | None:
    """Return a server's schema of results, widened by what Aileron answers itself; None where that cannot be written.

    A client refuses a result that does not fit, and with it the news that a person must decide first.
    """
    if not isinstance(schema, Mapping) or schema.get("type") != "object" or not _can_be_moved(schema):
        return None
    named = {key: schema[key] for key in ("$schema", "$defs", "definitions") if key in schema}
    return {"type": "object", **named, "anyOf": [_without(schema, "$schema"), _OURS]}


def _can_be_moved(schema: Any) -> bool:
    """Say whether a schema means the same inside of another one, next to which its definitions stand."""
    if isinstance(schema, Mapping):
        if {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor"} & schema.keys():
            return False
        target = schema.get("$ref")
        if isinstance(target, str) and target.startswith("#") and not target.startswith(_LOCAL):
            return False
        return all(map(_can_be_moved, schema.values()))
    return all(map(_can_be_moved, schema)) if isinstance(schema, list) else True


def _without(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def _status_tool() -> Mapping[str, Any]:
    return {
        "name": STATUS_TOOL,
        "description": _STATUS_DESCRIPTION,
        "inputSchema": {
            "type": "object",
            "properties": {
                "approval_id": {"type": "string", "description": "The id from the answer, apr_... or exe_..."},
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

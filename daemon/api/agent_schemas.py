"""The parts of the agent API's description that are made of no model."""

from typing import Any

from daemon.api.answers import MAX_WAIT_SECONDS
from daemon.api.paging import NEXT

HEALTH: dict[str, Any] = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string", "const": "ok"}},
}
NEXT_CURSOR: dict[str, Any] = {
    "type": ["string", "null"],
    "description": NEXT,
}
ACTIONS: dict[str, Any] = {
    "type": "object",
    "required": ["items", "next_cursor"],
    "properties": {
        "next_cursor": NEXT_CURSOR,
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "tool_name", "version", "description", "schema", "approval_required", "hints"],
                "properties": {
                    "name": {"type": "string"},
                    "tool_name": {"type": "string"},
                    "version": {"type": "string"},
                    "description": {"type": "string"},
                    "schema": {"type": "object"},
                    "approval_required": {"type": "boolean"},
                    "hints": {
                        "type": "object",
                        "required": ["read_only", "destructive", "idempotent"],
                        "properties": {
                            "read_only": {"type": "boolean"},
                            "destructive": {"type": "boolean"},
                            "idempotent": {"type": "boolean"},
                        },
                    },
                },
            },
        },
    },
}
TOOLS: dict[str, Any] = {
    "type": "object",
    "required": ["items", "next_cursor"],
    "properties": {
        "next_cursor": NEXT_CURSOR,
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": [
                    "name",
                    "kind",
                    "origin",
                    "title",
                    "version",
                    "description",
                    "input_schema",
                    "output_schema",
                    "definition_hash",
                    "approval_required",
                    "annotations",
                    "meta",
                ],
                "properties": {
                    "name": {"type": "string"},
                    "kind": {"type": "string"},
                    "origin": {"type": "string"},
                    "title": {"type": "string"},
                    "version": {"type": "string"},
                    "description": {"type": "string"},
                    "input_schema": {"type": "object"},
                    "output_schema": {"type": ["object", "null"]},
                    "definition_hash": {"type": "string"},
                    "approval_required": {"type": "boolean"},
                    "annotations": {
                        "type": "object",
                        "required": ["read_only", "destructive", "idempotent", "open_world"],
                        "properties": {
                            "read_only": {"type": "boolean"},
                            "destructive": {"type": "boolean"},
                            "idempotent": {"type": "boolean"},
                            "open_world": {"type": "boolean"},
                        },
                    },
                    "meta": {"type": ["object", "null"]},
                },
            },
        },
    },
}
ANSWERED: dict[str, Any] = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string", "const": "answered"}},
}
SERVERS: dict[str, Any] = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "prefix", "offers", "lists"],
                "properties": {
                    "name": {"type": "string"},
                    "prefix": {"type": "string"},
                    "offers": {
                        "type": ["array", "null"],
                        "items": {"type": "string"},
                        "description": "Such as `resources` and `prompts`; null before the server was first started.",
                    },
                    "lists": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Those of its lists that no rule of the person's holds back.",
                    },
                },
            },
        },
    },
}
WAIT: dict[str, Any] = {
    "name": "wait",
    "in": "query",
    "description": "How long to wait for an end, in seconds.",
    "schema": {"type": "number", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": 0},
}

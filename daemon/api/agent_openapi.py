"""The description of the agent API, made of the same models that read its requests and the same table of statuses."""

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from daemon.api.agent_schemas import ACTIONS, ANSWERED, HEALTH, SERVERS, TOOLS, WAIT
from daemon.api.answers import (
    ApprovalResult,
    CallBody,
    CallFinished,
    QuestionBody,
    RunBody,
    RunFinished,
    RunWaiting,
)
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import PARAMETERS
from daemon.version import VERSION

_MODELS = (RunBody, CallBody, QuestionBody, RunFinished, CallFinished, RunWaiting, ApprovalResult)
_REF = "#/components/schemas/{model}"


@cache
def agent_openapi() -> dict[str, Any]:
    """Return the OpenAPI document. What is spoken at `/mcp` is a protocol with a description of its own."""
    models = [(model, "validation") for model in _MODELS]
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Aileron agent API", "version": VERSION},
        "security": [{"session": []}],
        "paths": {
            **_paths_of_tools(),
            **_paths_of_sessions(),
        },
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths_of_tools() -> dict[str, Any]:
    return {
        "/v1/tools": {
            "get": _operation(
                "list_tools",
                "Return the tools of every kind that can be called, with the schema of their arguments.",
                _json(TOOLS),
                others={"304": {"description": "Nothing has changed since the given ETag."}},
                parameters=[_header("if-none-match"), *PARAMETERS],
            )
        },
        "/v1/tools/{name}/call": {
            "post": _operation(
                "call_tool",
                "Call a tool of any kind by its name in the list, or say that a person must decide first. Who accepts "
                "`text/event-stream`, too, gets a stream if there is something to tell on the way: `progress`, "
                "`logged`, `asked` with a question of the tool, and at last `answer` with the status and the body; "
                "else the plain answer. Hanging up calls the call off.",
                _json(_ref(CallFinished)) | {"text/event-stream": {"schema": {"type": "string"}}},
                others={"202": {"description": "A person must decide first.", "content": _json(_ref(RunWaiting))}},
                parameters=[_path("name")],
            )
            | {"requestBody": {"required": True, "content": _json(_ref(CallBody))}}
        },
        "/v1/tool-questions/{question_id}/answer": {
            "post": _operation(
                "answer_question",
                "Answer what a tool asks back while a call of this session runs; without a result, turn it down.",
                _json(ANSWERED),
                parameters=[_path("question_id")],
            )
            | {"requestBody": {"required": True, "content": _json(_ref(QuestionBody))}}
        },
        "/v1/tool-servers": {
            "get": _operation(
                "list_servers",
                "Return the servers that offer tools, and what else each of them offers, as far as that is known.",
                _json(SERVERS),
            )
        },
        "/v1/actions": {
            "get": _operation(
                "list_actions",
                "Return the actions that can be run, with the schema of their arguments.",
                _json(ACTIONS),
                others={"304": {"description": "Nothing has changed since the given ETag."}},
                parameters=[_header("if-none-match"), *PARAMETERS],
            )
        },
        "/v1/actions/{name}/run": {
            "post": _operation(
                "run_action",
                "Run an action, or say that a person must decide first.",
                _json(_ref(RunFinished)),
                others={"202": {"description": "A person must decide first.", "content": _json(_ref(RunWaiting))}},
                parameters=[_path("name")],
            )
            | {"requestBody": {"required": True, "content": _json(_ref(RunBody))}}
        },
    }


def _paths_of_sessions() -> dict[str, Any]:
    return {
        "/healthz": {"get": _operation("health", "Say that the daemon is there.", _json(HEALTH)) | {"security": []}},
        "/v1/action-approvals/{approval_id}/result": {
            "get": _operation(
                "approval_result",
                "Say where an approval of this session stands; with `wait`, answer as soon as it has an end.",
                _json(_ref(ApprovalResult)),
                parameters=[_path("approval_id"), WAIT],
            )
        },
        "/v1/events": {
            "get": _operation(
                "agent_events",
                "Stream what a session needs to know: the tool list changed, an approval was decided.",
                {"text/event-stream": {"schema": {"type": "string"}}},
            )
        },
    }


def _operation(
    operation_id: str,
    summary: str,
    content: dict[str, Any],
    *,
    others: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    failures = {str(status): answer for status, answer in DOCUMENTED.items()}
    return {
        "operationId": operation_id,
        "summary": summary,
        "parameters": parameters or [],
        "responses": {"200": {"description": "Done.", "content": content}, **(others or {}), **failures},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(model: type) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _path(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    }


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}}

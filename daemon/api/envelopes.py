"""How failures become HTTP answers: one status for each class, one envelope for all."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from daemon.api.wrong_ids import of_parameter, wrong_id
from daemon.approvals.service import StaleApprovalError
from daemon.core.failures import NO_SUCH_PATH, Boundary, DocumentError, Failure, FailureClass

Report = Callable[[Request, Exception], None]
Handlers = dict[Any, Callable[[Request, Exception], Awaitable[Response]]]

STATUS: dict[FailureClass, int] = {
    FailureClass.INVALID_ARGUMENTS: 400,
    FailureClass.CAPABILITY_DENIED: 403,
    FailureClass.APPROVAL_DENIED: 403,
    FailureClass.NOT_FOUND: 404,
    FailureClass.BINDING_REQUIRED: 409,
    FailureClass.APPROVAL_VOID: 409,
    FailureClass.HASH_MISMATCH: 409,
    FailureClass.SIGNATURE_FAILURE: 409,
    FailureClass.APPROVAL_EXPIRED: 410,
    FailureClass.VAULT_LOCKED: 423,
    # What went wrong behind the daemon is not the daemon being wrong, so none of these is a 5xx.
    FailureClass.NETWORK_ERROR: 424,
    FailureClass.EXTERNAL_API_ERROR: 424,
    FailureClass.BINDING_FAILED: 424,
    FailureClass.CONNECTOR_RUNTIME_ERROR: 424,
    FailureClass.RESOURCE_LIMIT_EXCEEDED: 424,
    FailureClass.OUTCOME_UNKNOWN: 424,
    FailureClass.INTERNAL_ERROR: 500,
    FailureClass.AUDIT_UNAVAILABLE: 503,
}


_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["class", "message", "retriable", "boundary", "audit_id", "details"],
            "additionalProperties": False,
            "properties": {
                "class": {"type": "string", "enum": [item.value for item in FailureClass]},
                "message": {"type": "string"},
                "retriable": {"type": "boolean"},
                "boundary": {"type": "string", "enum": [item.value for item in Boundary]},
                "audit_id": {"type": ["string", "null"]},
                "details": {"type": "object"},
            },
        }
    },
}

_DESCRIPTIONS = {
    400: "The request breaks a rule; the message says which.",
    401: "No credential, or one that is not valid (any more).",
    403: "The credential does not reach this, or a person or a rule said no.",
    404: "There is no such thing.",
    405: "The path exists; this method on it does not.",
    409: "The state of things does not allow this; the message says what would.",
    410: "Too late: the approval has expired.",
    413: "The request body is too large.",
    423: "The vault is locked.",
    424: "The service, the network or the connector failed; the envelope says how far the call came.",
    503: "The audit log cannot be written, so nothing runs.",
}

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/json": {"schema": _ERROR_SCHEMA}}}
    for status, text in _DESCRIPTIONS.items()
}


def failure_response(failure: Failure, *, status: int | None = None) -> JSONResponse:
    """Return the answer for a failure."""
    return JSONResponse(failure.envelope(), status_code=status or STATUS[failure.failure_class])


def handlers(report: Report, paths: Collection[str]) -> Handlers:
    """Return what makes every way in which a route can fail end in an envelope; `paths` are those of the routes."""

    async def on_failure(_: Request, problem: Exception) -> Response:
        return failure_response(as_failure(problem))

    async def on_malformed(request: Request, problem: Exception) -> Response:
        return failure_response(_wrong_in_path(request, problem) or as_failure(problem))

    async def on_http(request: Request, problem: Exception) -> Response:
        if not isinstance(problem, HTTPException):
            raise problem
        failure = (wrong_id(request, paths) if problem.status_code == 404 else None) or _from_http(problem)
        answer = failure_response(failure, status=problem.status_code)
        answer.headers.update(problem.headers or {})
        return answer

    async def on_bug(request: Request, problem: Exception) -> Response:
        report(request, problem)
        failure = Failure(
            FailureClass.INTERNAL_ERROR,
            "Aileron hit a defect of its own; the daemon's log has the details.",
            boundary=Boundary.RUNTIME,
        )
        answer = failure_response(failure)
        # The server closes the connection after a defect; a client that does not know may lose its next request.
        answer.headers["connection"] = "close"
        return answer

    return {
        Failure: on_failure,
        DocumentError: on_failure,
        StaleApprovalError: on_failure,
        RequestValidationError: on_malformed,
        HTTPException: on_http,
        Exception: on_bug,
    }


def install_handlers(app: FastAPI, *, report: Report, paths: Collection[str]) -> None:
    """Make a FastAPI app fail in envelopes, and say so in its description."""
    for kind, handler in handlers(report, paths).items():
        app.add_exception_handler(kind, handler)
    describe(app)


def as_failure(problem: Exception) -> Failure:
    """Return a known problem as a failure."""
    if isinstance(problem, Failure):
        return problem
    if isinstance(problem, DocumentError):
        details = {"file": problem.file, "line": problem.line, "problem": problem.problem, "remedy": problem.remedy}
        return Failure(
            FailureClass.INVALID_ARGUMENTS, str(problem), boundary=Boundary.USER, details={"problems": [details]}
        )
    if isinstance(problem, StaleApprovalError):
        return Failure(
            FailureClass.APPROVAL_VOID,
            f"Nothing was changed. {problem}",
            boundary=Boundary.USER,
            details={"state": problem.approval.state.value},
        )
    if isinstance(problem, RequestValidationError):
        problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in problem.errors()]
        return Failure(
            FailureClass.INVALID_ARGUMENTS,
            f"The request is not well-formed: {'; '.join(problems)}"[:2000],
            boundary=Boundary.USER,
        )
    raise problem


def _wrong_in_path(request: Request, problem: Exception) -> Failure | None:
    """Return the failure of an id that no thing could have, such as one that is too long."""
    if not isinstance(problem, RequestValidationError):
        return None
    for item in problem.errors():
        if item["loc"][0] == "path":
            return of_parameter(request.url.path.split("/")[2], str(item["loc"][1]), str(item["input"]))
    return None


def _from_http(problem: HTTPException) -> Failure:
    if problem.status_code == 404:
        return Failure(FailureClass.NOT_FOUND, NO_SUCH_PATH, boundary=Boundary.USER)
    return Failure(FailureClass.INVALID_ARGUMENTS, f"{problem.detail}.", boundary=Boundary.USER)


def describe(app: FastAPI) -> None:
    """Document what is really answered: our envelope for a malformed request, not the framework's own."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = original()
            for operations in schema["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                schema.get("components", {}).get("schemas", {}).pop(name, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

"""Failures in the form each provider's clients know, with a sentence for the person: pure."""

import json

from daemon.core.failures import Failure, FailureClass
from daemon.core.providers import Style
from daemon.gateway.forwarding import Headers

# Clients repeat a request after a status like 502 or 503. What only a person can mend must have another one.
# It is never 401: Claude Code asks again for minutes after it, in the hope of a new login.
_PERSONS = 403
STATUS = {
    FailureClass.CAPABILITY_DENIED: _PERSONS,
    FailureClass.VAULT_LOCKED: _PERSONS,
    FailureClass.BINDING_REQUIRED: _PERSONS,
    FailureClass.BINDING_FAILED: _PERSONS,
    FailureClass.NOT_FOUND: 404,
    FailureClass.INVALID_ARGUMENTS: 400,
    FailureClass.NETWORK_ERROR: 502,
    FailureClass.RESOURCE_LIMIT_EXCEEDED: 504,
    FailureClass.AUDIT_UNAVAILABLE: 503,
}
_FOR_CODEX = 400
"""Codex repeats a request five times after 401, 402, 403, 404, 422 and 423, and not after 400."""

_TELLS_CODEX = (b"originator", b"codex")
"""The header in which every program of Codex says what it is, and how its value begins."""

_TYPES = {
    400: "invalid_request_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    426: "invalid_request_error",
}


def status_of(failure: Failure, headers: Headers) -> int:
    """Return the status of an answer: one that the client which asks does not repeat if only a person can mend it."""
    status = STATUS.get(failure.failure_class, 500)
    name, begin = _TELLS_CODEX
    from_codex = any(each == name and value.lower().startswith(begin) for each, value in headers)
    return _FOR_CODEX if from_codex and is_final(status) else status


def is_final(status: int) -> bool:
    """Say whether the same request would get the same answer until a person has done something."""
    return status < 500


def error_body(failure: Failure, style: Style, status: int) -> bytes:
    """Return the body of an error."""
    kind = _TYPES.get(status, "api_error")
    message = f"Aileron: {failure.message}" + (f" (audit id {failure.audit_id})" if failure.audit_id else "")
    body: dict[str, object]
    if style is Style.ANTHROPIC:
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": failure.audit_id}
    else:
        code = failure.failure_class.value
        body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return json.dumps(body).encode()

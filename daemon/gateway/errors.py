"""Failures in the form each provider's clients know, with a sentence for the person: pure."""

import json

from daemon.core.failures import Failure, FailureClass
from daemon.core.providers import Style

# Clients repeat a request after a status like 502 or 503. What only a person can mend must have another one.
STATUS = {
    FailureClass.CAPABILITY_DENIED: 401,
    FailureClass.VAULT_LOCKED: 403,
    FailureClass.BINDING_REQUIRED: 403,
    FailureClass.BINDING_FAILED: 403,
    FailureClass.NOT_FOUND: 404,
    FailureClass.INVALID_ARGUMENTS: 400,
    FailureClass.NETWORK_ERROR: 502,
    FailureClass.RESOURCE_LIMIT_EXCEEDED: 504,
    FailureClass.AUDIT_UNAVAILABLE: 503,
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    426: "invalid_request_error",
}


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

"""The failure envelope: every failure has a class from a closed list, a boundary and an audit id."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class FailureClass(StrEnum):
    """What went wrong, from a closed list that callers may switch on."""

    CAPABILITY_DENIED = "capability_denied"
    BINDING_REQUIRED = "binding_required"
    BINDING_FAILED = "binding_failed"
    RESOURCE_LIMIT_EXCEEDED = "resource_limit_exceeded"
    CONNECTOR_RUNTIME_ERROR = "connector_runtime_error"
    NETWORK_ERROR = "network_error"
    EXTERNAL_API_ERROR = "external_api_error"
    HASH_MISMATCH = "hash_mismatch"
    SIGNATURE_FAILURE = "signature_failure"
    APPROVAL_DENIED = "approval_denied"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_VOID = "approval_void"
    OUTCOME_UNKNOWN = "outcome_unknown"
    VAULT_LOCKED = "vault_locked"
    INVALID_ARGUMENTS = "invalid_arguments"
    NOT_FOUND = "not_found"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    INTERNAL_ERROR = "internal_error"


class Boundary(StrEnum):
    """Where the failure was found: the wall that the call ran into."""

    ACTION = "action"
    CONNECTOR_MANIFEST = "connector_manifest"
    SANDBOX = "sandbox"
    RUNTIME = "runtime"
    EXTERNAL = "external"
    USER = "user"


class Failure(Exception):
    """A failure a caller is told about, ready to become an envelope once it has an audit id."""

    def __init__(
        self,
        failure_class: FailureClass,
        message: str,
        *,
        boundary: Boundary,
        retriable: bool = False,
        details: Mapping[str, Any] | None = None,
        audit_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.failure_class = failure_class
        self.message = message
        self.boundary = boundary
        self.retriable = retriable
        self.details: dict[str, Any] = dict(details or {})
        self.audit_id = audit_id

    def envelope(self) -> dict[str, Any]:
        """Return the failure in the form every API answers with."""
        return {
            "error": {
                "class": self.failure_class.value,
                "message": self.message,
                "retriable": self.retriable,
                "boundary": self.boundary.value,
                "audit_id": self.audit_id,
                "details": self.details,
            }
        }

    @classmethod
    def from_envelope(cls, envelope: Mapping[str, Any]) -> "Failure":
        """Rebuild a failure from a stored envelope."""
        error = envelope["error"]
        return cls(
            FailureClass(error["class"]),
            error["message"],
            boundary=Boundary(error["boundary"]),
            retriable=error["retriable"],
            details=error["details"],
            audit_id=error["audit_id"],
        )


class DocumentError(ValueError):
    """A file a person wrote breaks a rule: which file, which line, what is wrong, what would be right."""

    def __init__(self, *, file: str, line: int | None, problem: str, remedy: str) -> None:
        self.file = file
        self.line = line
        self.problem = problem
        self.remedy = remedy
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {problem} {remedy}".rstrip())

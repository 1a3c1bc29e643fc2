"""The failure envelope: every failure has a class from a closed list, a boundary and an audit id."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from daemon.core.attempts import AttemptRecord


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


NO_SUCH_PATH = "There is no such path in this API."
"""Said of a path that no route has. The command line takes it for the word of a daemon of another version."""


class Boundary(StrEnum):
    """Where the failure was found: the wall that the call ran into."""

    ACTION = "action"
    CONNECTOR_MANIFEST = "connector_manifest"
    SANDBOX = "sandbox"
    RUNTIME = "runtime"
    EXTERNAL = "external"
    USER = "user"


class Failure(Exception):
    """A failure a caller is told about, ready to become an envelope once it has an audit id.

    It does not change: whoever knows more on its way up raises a new one, made with `with_details`, `with_attempts` or
    `with_audit_id`. So nobody who kept it, and no record that was made of it, is altered behind their back.
    """

    failure_class: FailureClass
    message: str
    boundary: Boundary
    retriable: bool
    details: Mapping[str, Any]
    audit_id: str | None
    attempts: tuple[AttemptRecord, ...]

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
        vars(self).update(
            failure_class=failure_class,
            message=message,
            boundary=boundary,
            retriable=retriable,
            details=MappingProxyType(dict(details or {})),
            audit_id=audit_id,
            attempts=(),
        )

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse to change what the failure says; the interpreter may still add to where it came from."""
        if name in _FROZEN:
            raise AttributeError(f"a Failure does not change: raise a new one with another {name}")
        super().__setattr__(name, value)

    def with_details(self, details: Mapping[str, Any]) -> Self:
        """Return the failure with more details; one that is there already is replaced."""
        return self._changed(details=MappingProxyType({**self.details, **details}))

    def with_audit_id(self, audit_id: str) -> Self:
        """Return the failure with the id of the event that speaks of it."""
        return self._changed(audit_id=audit_id)

    def with_attempts(self, attempts: Sequence[AttemptRecord]) -> Self:
        """Return the failure with the requests that were made before it; its details name them, too."""
        listed = [attempt.as_json() for attempt in attempts]
        details = MappingProxyType({**self.details, "attempts": listed})
        return self._changed(attempts=tuple(attempts), details=details)

    def never_retriable(self) -> Self:
        """Return the failure as one that must not be tried again."""
        return self._changed(retriable=False)

    def cleaned(self, clean: Callable[[str], str], clean_all: Callable[[Any], Any]) -> Self:
        """Return the failure with its texts cleaned."""
        return self._changed(message=clean(self.message), details=MappingProxyType(clean_all(dict(self.details))))

    def _changed(self, **changes: Any) -> Self:
        other = type(self).__new__(type(self))
        vars(other).update({**vars(self), **changes})
        other.args = (other.message,)
        other.__cause__, other.__traceback__ = self.__cause__, self.__traceback__
        return other

    def envelope(self) -> dict[str, Any]:
        """Return the failure in the form every API answers with."""
        return {
            "error": {
                "class": self.failure_class.value,
                "message": self.message,
                "retriable": self.retriable,
                "boundary": self.boundary.value,
                "audit_id": self.audit_id,
                "details": dict(self.details),
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


_FROZEN = frozenset(Failure.__annotations__)


class DocumentError(ValueError):
    """A file a person wrote breaks a rule: which file, which line, what is wrong, what would be right."""

    def __init__(self, *, file: str, line: int | None, problem: str, remedy: str) -> None:
        self.file = file
        self.line = line
        self.problem = problem
        self.remedy = remedy
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {problem} {remedy}".rstrip())

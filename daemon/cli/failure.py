"""What a command that did not succeed tells the person and the shell: a message, a remedy and an exit code."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Self


class ExitCode(IntEnum):
    """The exit codes of every command, as docs/cli.md lists them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    UNREACHABLE = 69
    WAITING = 75
    VAULT_LOCKED = 77
    INTERRUPTED = 130


START_THE_OWN_ONE = "End it with `aileron stop`; the next command starts the daemon of its own version."
_EXIT_BY_CLASS = {"vault_locked": ExitCode.VAULT_LOCKED}


class CliFailure(Exception):
    """A failure that a command ends with; it is printed without a traceback."""

    def __init__(
        self,
        message: str,
        *,
        exit_code: ExitCode = ExitCode.FAILED,
        failure_class: str | None = None,
        remedy: str | None = None,
        details: Mapping[str, Any] | None = None,
        audit_id: str | None = None,
        boundary: str | None = None,
        retriable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.failure_class = failure_class
        self.remedy = remedy
        self.details = dict(details or {})
        self.audit_id = audit_id
        self.boundary = boundary
        self.retriable = retriable

    @classmethod
    def from_error(cls, error: Mapping[str, Any]) -> Self:
        """Build the failure from the inner part of an envelope; a missing field is no reason to fail again."""
        failure_class = str(error.get("class") or "internal_error")
        details = error.get("details")
        details = dict(details) if isinstance(details, Mapping) else {}
        command = details.pop("command", None)
        message = str(error.get("message") or "the daemon gave no reason")
        return cls(
            message,
            exit_code=_EXIT_BY_CLASS.get(failure_class, ExitCode.FAILED),
            failure_class=failure_class,
            remedy=f"run: {command}" if command and command not in message else None,
            details=details,
            audit_id=error.get("audit_id"),
            boundary=error.get("boundary"),
            retriable=bool(error.get("retriable")),
        )

    @classmethod
    def usage(cls, message: str, *, remedy: str | None = None) -> Self:
        """Build the failure of a command that was called in a way it cannot carry out."""
        return cls(message, exit_code=ExitCode.USAGE, remedy=remedy)

    def envelope(self) -> dict[str, Any]:
        """Return the failure in the form of the API's envelope, for `--json`."""
        details = dict(self.details)
        if self.remedy is not None:
            details["remedy"] = self.remedy
        return {
            "error": {
                "class": self.failure_class,
                "message": self.message,
                "retriable": self.retriable,
                "boundary": self.boundary,
                "audit_id": self.audit_id,
                "details": details,
            }
        }


def unexpected(error: Exception, other_version: str | None) -> CliFailure:
    """Say what an exception means that no command expected."""
    if isinstance(error, OSError):
        from daemon.core.named_errors import in_words

        return CliFailure(
            f"this could not be read or written: {in_words(error)}",
            remedy="What was asked of the daemon may be done: see `aileron audit list`.",
        )
    if other_version is not None:
        return CliFailure(
            f"the daemon is of version {other_version}, and this command does not understand its answer",
            exit_code=ExitCode.UNREACHABLE,
            remedy=START_THE_OWN_ONE,
        )
    return CliFailure(
        f"this is a defect of aileron itself: {type(error).__name__}: {error}",
        failure_class="internal_error",
        remedy="Run it again with `aileron --debug ...` and report what it prints.",
    )

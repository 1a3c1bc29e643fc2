"""What can go wrong while a connector is installed or trusted.

Failure
├── InstallError   a source, an archive or a signature was refused; nothing was installed
└── KeyringError   the keyring cannot be read, or a change to it was refused
"""

from collections.abc import Mapping
from typing import Any

from daemon.core.failures import Boundary, Failure, FailureClass


class InstallError(Failure):
    """An install was refused: the message says what was found and what would be right."""

    def __init__(
        self,
        message: str,
        *,
        failure_class: FailureClass = FailureClass.INVALID_ARGUMENTS,
        boundary: Boundary = Boundary.USER,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(failure_class, message, boundary=boundary, details=details)


class KeyringError(Failure):
    """The keyring cannot be used as it is, or a change to it was refused."""

    def __init__(
        self,
        message: str,
        *,
        failure_class: FailureClass = FailureClass.SIGNATURE_FAILURE,
        boundary: Boundary = Boundary.RUNTIME,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(failure_class, message, boundary=boundary, details=details)

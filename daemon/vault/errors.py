"""Why the vault refuses, each with what to do next.

VaultError (a Failure)
  VaultAbsent           there is no vault file yet
  VaultLocked           it needs the passphrase first
  VaultExists           create() found a vault
  PassphraseRejected    a new passphrase breaks the policy
  WrongPassphrase       the passphrase does not open this vault
  EntryRefused          a name, kind, value or metadata breaks a rule
  EntryNotFound         no entry of that name
  VaultUnavailable      the file cannot be used as it is
    VaultDamaged        bytes are not what Aileron wrote; says which part
    VaultTooNew         a later Aileron wrote it
    VaultUnsafe         a symbolic link, or others may read or replace it
    VaultChanged        another program changed it under our feet
    VaultUnreadable     the system did not let us read it
  VaultWriteFailed      the system did not let us write it
"""

from collections.abc import Mapping
from typing import Any

from daemon.core.failures import Boundary, Failure, FailureClass

UNLOCK_COMMAND = "aileron vault unlock"
CREATE_COMMAND = "aileron vault init"


class VaultError(Failure):
    """The vault refuses; every refusal of the vault is one of these."""

    of_class = FailureClass.VAULT_LOCKED
    at_boundary = Boundary.USER

    def __init__(self, message: str, *, retriable: bool = False, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(self.of_class, message, boundary=self.at_boundary, retriable=retriable, details=details)


class VaultAbsent(VaultError):
    """There is no vault file yet."""

    def __init__(self) -> None:
        super().__init__(f"There is no vault yet; run: {CREATE_COMMAND}", details={"command": CREATE_COMMAND})


class VaultLocked(VaultError):
    """The vault needs its passphrase first."""

    def __init__(self) -> None:
        super().__init__(f"The vault is locked; run: {UNLOCK_COMMAND}", details={"command": UNLOCK_COMMAND})


class VaultExists(VaultError):
    """A vault is there already, and is not overwritten."""

    of_class = FailureClass.INVALID_ARGUMENTS


class PassphraseRejected(VaultError):
    """A new passphrase breaks the policy."""

    of_class = FailureClass.INVALID_ARGUMENTS


class WrongPassphrase(VaultError):
    """The passphrase does not open this vault."""

    of_class = FailureClass.INVALID_ARGUMENTS


class EntryRefused(VaultError):
    """A name, kind, value or metadata breaks a rule of the vault."""

    of_class = FailureClass.INVALID_ARGUMENTS


class EntryNotFound(VaultError):
    """The vault has no entry of that name."""

    of_class = FailureClass.NOT_FOUND


class VaultUnavailable(VaultError):
    """The file cannot be used as it is; nothing of it was used and nothing was changed."""

    at_boundary = Boundary.RUNTIME


class VaultDamaged(VaultUnavailable):
    """Bytes of the file are not what Aileron wrote; `part` says which."""

    def __init__(self, *, file: str, part: str) -> None:
        self.part = part
        super().__init__(
            f"{file} is damaged: {part}. Nothing of it was used. Put back a copy of the file from a backup; "
            "without one, move it away and create a new vault.",
            details={"file": file, "damaged": part},
        )


class VaultTooNew(VaultUnavailable):
    """A later Aileron wrote the file."""


class VaultUnsafe(VaultUnavailable):
    """The file is a symbolic link, or others may read or replace it."""


class VaultChanged(VaultUnavailable):
    """Another program changed the file since it was read."""


class VaultUnreadable(VaultUnavailable):
    """The system did not let us read the file."""


class VaultWriteFailed(VaultError):
    """The system did not let us write the file."""

    of_class = FailureClass.INTERNAL_ERROR
    at_boundary = Boundary.RUNTIME

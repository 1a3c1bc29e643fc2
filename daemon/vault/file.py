"""The vault file on disk: who may read it, whether it changed, and a replacement that is whole or does not happen."""

import contextlib
import os
import shlex
import stat
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from daemon.base.drafts import draft_of, remove_abandoned
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.base.files import Draft, NotConfirmedError, confirm_name
from daemon.vault.errors import VaultChanged, VaultDamaged, VaultUnreadable, VaultUnsafe, VaultWriteFailed

MOST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one state of the file from another without reading it."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """Take the stamp of a file's status."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class VaultFile:
    """Reads and replaces one vault file."""

    def __init__(self, *, path: Path, faults: FaultPoints = NO_FAULTS) -> None:
        self.path = path
        self._faults = faults

    def exists(self) -> bool:
        """Say whether something is at the path, even a dangling link."""
        return os.path.lexists(self.path)

    def stamp(self) -> Stamp | None:
        """Return the present stamp, or None if there is no file."""
        try:
            return Stamp.of(os.lstat(self.path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VaultUnreadable(f"{self.path} cannot be looked at: {error.strerror}.") from None

    def read(self) -> tuple[bytes, Stamp]:
        """Read the whole file, if nobody but its owner can read or replace it; raises FileNotFoundError."""
        with contextlib.suppress(OSError):  # not removable: the next writer says why
            remove_abandoned(draft_of(self.path))
        self._check_folder()
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self._check_file(os.lstat(self.path))
            descriptor = os.open(self.path, flags)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise VaultUnreadable(f"{self.path} cannot be opened: {error.strerror}.") from None
        with open(descriptor, "rb") as file:  # noqa: PTH123  from a descriptor, so that what is checked is what is read
            status = os.fstat(descriptor)
            self._check_file(status)
            try:
                raw = file.read(MOST_BYTES + 1)
            except OSError as error:
                raise VaultUnreadable(f"{self.path} cannot be read: {error.strerror}.") from None
        if len(raw) > MOST_BYTES:
            raise VaultDamaged(file=str(self.path), part=f"it is longer than {MOST_BYTES // 2**20} MiB")
        return raw, Stamp.of(status)

    def replace(self, raw: bytes, *, expected: Stamp | None) -> Stamp:
        """Put new bytes in place of the file that has the expected stamp (None: of no file).

        Raises VaultChanged if the file is another by now, and VaultWriteFailed if the system refuses; then the old
        file is as it was, except when only making the replacement durable failed, which the message says.
        """
        self._prepare_folder()
        with ExitStack() as drafts:
            draft, written = self._written(raw, drafts)
            if self.stamp() != expected:
                raise changed(self.path)
            self._faults.hit("vault.before_replace")
            try:
                draft.replace_target()
            except OSError as error:
                raise VaultWriteFailed(
                    f"The vault was not saved: {self.path} could not be replaced ({error.strerror}). It is as it was.",
                    retriable=True,
                    details={"file": str(self.path)},
                ) from None
        self._faults.hit("vault.after_replace")
        try:
            confirm_name(self.path)
        except NotConfirmedError as error:
            raise VaultWriteFailed(
                f"{self.path} was replaced, but the disk did not confirm it ({error.strerror}): after a power cut it "
                "may be the former one. Check the disk, then look at what the vault lists.",
                details={"file": str(self.path)},
            ) from None
        return written

    def _written(self, raw: bytes, drafts: ExitStack) -> tuple[Draft, Stamp]:
        try:
            draft = drafts.enter_context(Draft(self.path))
            draft.write(raw)
            draft.sync()
            return draft, Stamp.of(os.fstat(draft.descriptor))
        except OSError as error:
            raise VaultWriteFailed(
                f"The vault was not saved: writing beside {self.path} failed ({error.strerror}). The vault is as it "
                "was. Make room or check the disk, then try again.",
                retriable=True,
                details={"file": str(self.path)},
            ) from None

    def _prepare_folder(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise VaultWriteFailed(f"{self.path.parent} could not be made: {error.strerror}.") from None
        self._check_folder()

    def _check_folder(self) -> None:
        folder = self.path.parent
        try:
            status = folder.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise VaultUnreadable(f"{folder} cannot be looked at: {error.strerror}.") from None
        if stat.S_IMODE(status.st_mode) & 0o022:
            raise _unsafe(self.path, f"others may replace files in {folder}", f"chmod 700 {shlex.quote(str(folder))}")

    def _check_file(self, status: os.stat_result) -> None:
        quoted = shlex.quote(str(self.path))
        if stat.S_ISLNK(status.st_mode):
            raise _unsafe(self.path, "it is a symbolic link", "put the file itself there")
        if not stat.S_ISREG(status.st_mode):
            raise _unsafe(self.path, "it is not an ordinary file", "move it away")
        if status.st_uid != os.geteuid():
            raise _unsafe(self.path, "it belongs to another user", f"chown {os.geteuid()} {quoted}")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise _unsafe(self.path, "others may read or write it", f"chmod 600 {quoted}")


def changed(path: Path) -> VaultChanged:
    """Say that the file is not the one that was unlocked."""
    return VaultChanged(
        f"{path} was changed or replaced by another program since it was unlocked, so nothing was saved over it and "
        "the vault is locked now. Unlock it again to work with the file as it is: aileron vault unlock",
        details={"file": str(path), "command": "aileron vault unlock"},
    )


def _unsafe(path: Path, reason: str, remedy: str) -> VaultUnsafe:
    return VaultUnsafe(
        f"{path} is not used: {reason}. Run: {remedy}"
        if remedy.startswith("ch")
        else f"{path} is not used: {reason}. To go on, {remedy}.",
        details={"file": str(path), "remedy": remedy},
    )

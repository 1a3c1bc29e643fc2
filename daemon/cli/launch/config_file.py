"""A person's configuration file: read as it is, replaced whole or not at all, with what it was kept beside it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from daemon.base.files import NotConfirmedError, replace_file
from daemon.cli.failure import CliFailure

_BACKUP = ".before-aileron"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file at one moment; a link is followed, so that what it points to is changed and not the link."""

    path: Path
    raw: bytes | None

    @classmethod
    def read(cls, path: Path) -> "ConfigFile":
        """Read a file, which need not be there."""
        real = path.resolve()
        try:
            return cls(real, real.read_bytes())
        except FileNotFoundError:
            return cls(real, None)
        except OSError as problem:
            raise CliFailure(f"{path} cannot be read: {problem.strerror}") from problem

    @property
    def text(self) -> str:
        """Return what it says."""
        try:
            return (self.raw or b"").decode("utf-8")
        except UnicodeDecodeError as problem:
            raise CliFailure(f"{self.path} is not UTF-8 text ({problem.reason}); it was left alone") from None

    @property
    def backup(self) -> Path:
        """Return where it is kept what the file was before our entry came into it."""
        return self.path.with_name(self.path.name + _BACKUP)

    def before(self) -> str | None:
        """Return what the file was before our entry came into it, if that is known and is text."""
        try:
            return self.backup.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def replace(self, text: str, *, keep: bool) -> None:
        """Put another text in its place, unless somebody else has changed it meanwhile.

        With `keep`, what it was is kept beside it: only a text without our entry is worth that. Without, a copy that
        says the same as the new text has done its work and goes. A file that becomes empty goes unless it was there.
        """
        raw = text.encode("utf-8")
        try:
            self._refuse_what_cannot_be_replaced()
            if ConfigFile.read(self.path).raw != self.raw:
                raise CliFailure(
                    f"{self.path} was changed by another program just now; nothing was written, run it again"
                )
            if keep and self.raw is not None:
                _write(self.backup, self.raw, like=self.path)
            if not raw and not self.backup.exists():
                self.path.unlink(missing_ok=True)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self.path, raw, like=self.path if self.raw is not None else None)
            if not keep and self.before() == text:
                self.backup.unlink()
        except NotConfirmedError as problem:
            raise CliFailure(
                f"{problem.filename} was written, but the disk did not confirm it: {problem.strerror}",
                remedy="Check the disk, then run this again.",
            ) from problem
        except OSError as problem:
            raise CliFailure(f"{self.path} cannot be written: {problem.strerror}; it is as it was") from problem

    def _refuse_what_cannot_be_replaced(self) -> None:
        """Raise for a file whose owner wants it left alone, or which is more than this one name."""
        if self.raw is None:
            return
        status = self.path.stat()
        if not status.st_mode & 0o222 or not os.access(self.path, os.W_OK):
            raise CliFailure(
                f"{self.path} is read-only; nothing was written", remedy=f"If it may be changed: chmod u+w {self.path}"
            )
        if status.st_nlink > 1:
            raise CliFailure(
                f"{self.path} has {status.st_nlink} names (hard links), and writing it anew would separate them; "
                "nothing was written",
                remedy="Make it a file of its own, or a symbolic link to the other one, and run this again.",
            )


def _write(path: Path, raw: bytes, *, like: Path | None) -> None:
    if like is None:
        replace_file(path, raw)
        return
    status = like.stat()
    owner = (status.st_uid, status.st_gid)
    ours = owner == (os.geteuid(), os.getegid())
    replace_file(path, raw, mode=stat.S_IMODE(status.st_mode), owner=None if ours else owner)

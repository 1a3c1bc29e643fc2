"""A person's configuration file: read as it is, replaced whole or not at all, with what it was kept beside it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.base.files import NotConfirmedError, open_regular, replace_file
from daemon.cli.failure import CliFailure

_BACKUP = ".before-aileron"
_MOST_BYTES = 32 << 20


class ChangedMeanwhileError(CliFailure):
    """Somebody else has written the file since it was read; nothing was written."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file at one moment; a link is followed, so that what it points to is changed and not the link."""

    path: Path
    raw: bytes | None

    @classmethod
    def read(cls, path: Path) -> "ConfigFile":
        """Read a file, which need not be there."""
        try:
            real = path.resolve()
            # Not by its path alone: a pipe of that name would be waited for.
            with os.fdopen(open_regular(real), "rb") as file:
                raw = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return cls(real, None)
        except (OSError, RuntimeError) as problem:  # the second is what a circle of links raises
            said = problem.strerror if isinstance(problem, OSError) else "it is a link that leads to itself"
            raise CliFailure(f"{path} cannot be read: {said}") from problem
        if len(raw) > _MOST_BYTES:
            raise CliFailure(f"{path} is too large: more than {_MOST_BYTES >> 20} MiB; it was left alone")
        return cls(real, raw)

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
        with self._guarded():
            if keep and self.raw is not None:
                _write(self.backup, self.raw, like=self.path)
            if not raw and not self.backup.exists():
                self.path.unlink(missing_ok=True)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self.path, raw, like=self.path if self.raw is not None else None)
            if not keep and self.before() == text:
                self.backup.unlink()

    def exchange(self, text: str) -> None:
        """Put another text in its place, unless somebody else has changed it meanwhile; nothing is kept beside it."""
        with self._guarded():
            _write(self.path, text.encode("utf-8"), like=self.path if self.raw is not None else None)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Begin a change only if the file is as it was read; say what a failed one left."""
        try:
            self.refuse_what_cannot_be_replaced()
            if ConfigFile.read(self.path).raw != self.raw:
                raise ChangedMeanwhileError(
                    f"{self.path} was changed by another program just now; nothing was written, run it again"
                )
            yield
        except NotConfirmedError as problem:
            raise CliFailure(
                f"{problem.filename} was written, but the disk did not confirm it: {problem.strerror}",
                remedy="Check the disk, then run this again.",
            ) from problem
        except OSError as problem:
            raise CliFailure(f"{self.path} cannot be written: {problem.strerror}; it is as it was") from problem

    def refuse_what_cannot_be_replaced(self) -> None:
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

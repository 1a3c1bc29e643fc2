"""A person's configuration file: read as it is, replaced whole or not at all, with what it was kept beside it."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

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

    def replace(self, text: str) -> None:
        """Put another text in its place, unless somebody else has changed it meanwhile; an empty one goes."""
        raw = text.encode("utf-8")
        try:
            if ConfigFile.read(self.path).raw != self.raw:
                raise CliFailure(
                    f"{self.path} was changed by another program just now; nothing was written, run it again"
                )
            if self.raw is not None:
                _write(self.path.with_name(self.path.name + _BACKUP), self.raw, like=self.path)
            if not raw:
                self.path.unlink(missing_ok=True)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self.path, raw, like=self.path if self.raw is not None else None)
        except OSError as problem:
            raise CliFailure(f"{self.path} cannot be written: {problem.strerror}; it is as it was") from problem


def _write(path: Path, raw: bytes, *, like: Path | None) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o600 if like is None else like.stat().st_mode & 0o7777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

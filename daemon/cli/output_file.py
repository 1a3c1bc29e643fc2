"""Where `--output FILE` writes: a file that is there whole or not at all, or stdout."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import IO, TYPE_CHECKING, Annotated, Self

import typer

from daemon.cli.failure import CliFailure

if TYPE_CHECKING:
    from daemon.cli.rendering import Output

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of the terminal.")
]


class OutputFile:
    """Collects text beside its target and takes the target's place when everything was written."""

    def __init__(self, path: Path | None, *, stdout: "Output") -> None:
        self._path = path
        self._stdout = stdout
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = NamedTemporaryFile(
                    "w", encoding="utf-8", dir=self._path.resolve().parent, prefix=f".{self._path.name}.", delete=False
                )
            except OSError as error:
                raise self._failure(error) from error
        return self

    def write(self, text: str) -> None:
        """Write a text that ends its own lines."""
        if self._file is None:
            self._stdout.raw(text)
            return
        try:
            self._file.write(text)
        except OSError as error:
            raise self._failure(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None or self._path is None:
            return
        temporary = Path(self._file.name)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if error is None:
                temporary.replace(self._path)
        except OSError as problem:
            raise self._failure(problem) from problem
        finally:
            self._file.close()
            temporary.unlink(missing_ok=True)

    def _failure(self, error: OSError) -> CliFailure:
        return CliFailure(f"{self._path} cannot be written: {error.strerror}")

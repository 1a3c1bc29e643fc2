"""Where `--output FILE` writes: a new file that is there whole or not at all, or stdout."""

import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self, TextIO

import typer

from daemon.base.files import Draft, NotConfirmedError, confirm_name
from daemon.cli.failure import CliFailure

if TYPE_CHECKING:
    from daemon.cli.rendering import Output

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this new file instead of the terminal.")
]


class OutputFile:
    """Collects text beside its target, and gets its name when everything was written. What is there stays as it is."""

    def __init__(self, path: Path | None, *, stdout: "Output") -> None:
        self._path = path
        self._stdout = stdout
        self._draft: Draft | None = None
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._opened(self._path)
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
        with ExitStack() as ending:
            if self._draft is not None:
                ending.push(self._draft)
            try:
                self._file.close()  # writes what is left
                if error is None and self._draft is not None:
                    self._draft.sync()
                    self._draft.become_target()
                    confirm_name(self._path)
            except OSError as problem:
                raise self._failure(problem) from problem

    def _opened(self, path: Path) -> TextIO:
        if path.exists() and not path.is_file():
            # A device or a pipe is written to: putting a file in the place of `/dev/null` would harm every program.
            return path.open("w", encoding="utf-8")
        if os.path.lexists(path):
            raise CliFailure.usage(f"{path} is there already", remedy="Give another name, or move that one away.")
        self._draft = Draft(path)
        return open(self._draft.descriptor, "w", encoding="utf-8", closefd=False)

    def _failure(self, error: OSError) -> CliFailure:
        if isinstance(error, NotConfirmedError):
            return CliFailure(f"{self._path} was written, but the disk did not confirm it: {error.strerror}")
        if isinstance(error, FileExistsError):
            return CliFailure(f"{self._path} was made by somebody else meanwhile; nothing was written")
        return CliFailure(f"{self._path} cannot be written: {error.strerror}")

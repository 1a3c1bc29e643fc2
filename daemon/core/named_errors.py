"""Errors of the system that name the file they are about: the system itself leaves it out when a write fails."""

from pathlib import Path
from types import TracebackType


def about(path: Path) -> "_About":
    """Give the name of a file to an OSError that is raised in a `with` block and has none; may be used again."""
    return _About(path)


class _About:
    # A class and no generator, because every commit passes through it twice.
    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(problem, OSError) and problem.filename is None:
            problem.filename = str(self._path)


def in_words(problem: OSError) -> str:
    """Return which file it is about, if that is known, and what happened."""
    words = problem.strerror or str(problem)
    words = words[:1].lower() + words[1:]
    return f"{problem.filename}: {words}" if problem.filename else words

"""Errors of the system that name the file they are about: the system itself leaves it out when a write fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Give the name of a file to an OSError that has none."""
    try:
        yield
    except OSError as problem:
        if problem.filename is None:
            problem.filename = str(path)
        raise


def in_words(problem: OSError) -> str:
    """Return which file it is about, if that is known, and what happened."""
    words = problem.strerror or str(problem)
    words = words[:1].lower() + words[1:]
    return f"{problem.filename}: {words}" if problem.filename else words

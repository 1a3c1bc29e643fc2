"""Everything that is wrong with one document, collected while it is read on, so that a person mends it in one go."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from daemon.core.failures import DocumentError


class AlreadyTold(DocumentError):
    """Something is missing that an unknown key was probably meant to be, which is among the problems already."""


P = ParamSpec("P")
T = TypeVar("T")


class Problems:
    """What was found wrong so far, in the order of reading. Whoever reads on must not use what could not be read."""

    def __init__(self) -> None:
        self.found: list[DocumentError] = []

    def keep(self, read: Callable[P, T], *given: P.args, **named: P.kwargs) -> T | None:
        """Return what a reader returns, or None after keeping the problem that it raises."""
        try:
            return read(*given, **named)
        except AlreadyTold:
            return None
        except DocumentError as problem:
            self.found.append(problem)
            return None

    def in_order_of_lines(self) -> list[DocumentError]:
        """Return all of them, those without a line first."""
        return sorted(self.found, key=lambda problem: problem.line or 0)

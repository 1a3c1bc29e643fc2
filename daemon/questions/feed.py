"""Tells whoever listens that a question was asked or has ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from daemon.questions.question import Question

Listener = Callable[[Question], None]
"""Is told a question in its new state; must neither wait nor raise."""


class QuestionFeed:
    """Fans changes out to listeners. It keeps nothing."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}

    def publish(self, question: Question) -> None:
        """Tell everybody."""
        for listener in list(self._listeners.values()):
            listener(question)

    @contextmanager
    def telling(self, listener: Listener) -> Iterator[None]:
        """Tell a listener everything from now on."""
        key = object()
        self._listeners[key] = listener
        try:
            yield
        finally:
            del self._listeners[key]

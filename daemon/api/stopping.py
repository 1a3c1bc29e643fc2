"""Lets long polls and streams end when the daemon stops, instead of holding it up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopping:
    """Knows whether the daemon is stopping, and tells streams of it."""

    def __init__(self) -> None:
        self._begun = False
        self._listeners: dict[object, Callable[[], None]] = {}

    def begin(self) -> None:
        """Say that the daemon stops from now on."""
        self._begun = True
        for listener in list(self._listeners.values()):
            listener()

    def bounded(self, seconds: float) -> float:
        """Return how long a poll may wait: no time at all once the daemon is stopping."""
        return 0.0 if self._begun else seconds

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call a listener when the daemon begins to stop, or at once if it has."""
        key = object()
        self._listeners[key] = listener
        try:
            if self._begun:
                listener()
            yield
        finally:
            del self._listeners[key]

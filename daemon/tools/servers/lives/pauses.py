"""How long a server that failed is left alone before it is started again. Pure."""

SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
STABLE_SECONDS = 300.0
"""A server that ran for this long is forgiven its earlier failures; times between which it was idle add up."""


class Pauses:
    """Counts failures in a row. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0
        self._ready_since: float | None = None
        self._stable = 0.0
        """How long it has run since its last failure, without the time that goes on now."""

    def ready(self, now: float) -> None:
        """Note that the server can be asked."""
        self._ready_since = now

    def stopped(self, now: float) -> None:
        """Note that it was stopped because nobody needed it, or that its session ended."""
        self._forgive(now)

    def failed(self, now: float) -> None:
        """Note that it could not be started, or ended unexpectedly."""
        self._forgive(now)
        self._stable = 0.0
        self._until = now + SECONDS[min(self._failures, len(SECONDS) - 1)]
        self._failures += 1

    def left(self, now: float) -> float:
        """Return how long it is still left alone."""
        return max(0.0, self._until - now)

    def _forgive(self, now: float) -> None:
        if self._ready_since is not None:
            self._stable += now - self._ready_since
            self._ready_since = None
        if self._stable >= STABLE_SECONDS:
            self._failures = 0

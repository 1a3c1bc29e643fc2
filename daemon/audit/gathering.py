"""Gathers what is to be written while the event loop is busy, so that the writer commits it together.

A commit costs about as much for ten events as for one. Without this, the writer wakes up at the first event, and the
others of the same moment wait for the next commit. An event that is likely to stay alone is handed over at once: the
writer has nothing to do, and the last one was alone, too.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

J = TypeVar("J")

_MOST_TURNS = 16
"""An event waits for at most so many turns of the loop."""
_MOST_SECONDS = 0.02
"""And for no longer than this, when the turns are long ones."""
_IDLE_SECONDS = 0.0001
"""A turn that was shorter than this did nothing else: there is nobody to wait for."""


class Gathering(Generic[J]):
    """Holds jobs for a few turns of the event loop, then hands them over in the order in which they came."""

    def __init__(self, hand_over: Callable[[Sequence[J]], None], *, now: Callable[[], float]) -> None:
        self._hand_over = hand_over
        self._now = now
        self._jobs: list[J] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last = 1
        """How many were handed over together the last time."""
        self._unanswered = 0

    def add(self, job: J, loop: asyncio.AbstractEventLoop) -> None:
        """Take a job; to be called on the loop's own thread."""
        if self._last == 1 and not self._unanswered and not self._jobs:
            self._unanswered = 1
            self._hand_over((job,))
            return
        self._jobs.append(job)
        if self._loop is not loop:
            # Nothing is gathered yet, or by another loop that may have stopped meanwhile.
            self._loop = loop
            now = self._now()
            loop.call_soon(self._turn, loop, 1, now, now)

    def flush(self) -> None:
        """Hand over what is here, without waiting any longer."""
        self._loop = None
        jobs, self._jobs = self._jobs, []
        if jobs:
            self._last = len(jobs)
            self._unanswered += len(jobs)
            self._hand_over(jobs)

    def answered(self, count: int) -> None:
        """Take note that so many of the jobs are done; to be called on the loop's own thread."""
        self._unanswered -= count

    def _turn(self, loop: asyncio.AbstractEventLoop, turns: int, began: float, before: float) -> None:
        if self._loop is not loop:
            return  # they were handed over already
        now = self._now()
        if turns >= _MOST_TURNS or now - before < _IDLE_SECONDS or now - began > _MOST_SECONDS:
            self.flush()
        else:
            loop.call_soon(self._turn, loop, turns + 1, began, now)

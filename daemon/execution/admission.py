"""Lets so many runs go at once, shared by session; the others wait in fair queues, and not without end."""

import asyncio
from typing import TypeAlias

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.fairness import FairQueue, Rank, Shares

Waiter: TypeAlias = "asyncio.Future[None]"


class Admission:
    """Counts the runs under way. All of it belongs to the event loop's thread.

    A session has at most half of the places, and at most so many calls that wait for one. What a person approved is
    never turned away for a full queue, and waits as long as its approval is good: a place, once waited for, is kept.
    """

    def __init__(self, *, most: int, queued: int, wait_seconds: float) -> None:
        self._places = Shares(most)
        self._queued = queued
        self._queue: FairQueue[Waiter] = FairQueue()
        self.wait_seconds = wait_seconds

    @property
    def active(self) -> int:
        """Count the runs under way."""
        return self._places.used

    async def enter(self, session: str, *, rank: Rank) -> None:
        """Wait for a place; leave() must follow. Raises a retriable Failure when there is none in time."""
        if self._places.may_take(session) and not (self._queue.size and self._queue.waiting(session)):
            self._places.take(session)
            return
        if rank is Rank.NEW and self._queue.waiting(session) >= self._queued:
            raise _busy(f"{self._queue.waiting(session)} calls of this session wait", hint="some end")
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._queue.put(session, waiter, rank=rank)
        try:
            async with asyncio.timeout(self.wait_seconds if rank is Rank.NEW else None):
                await waiter
        except BaseException as ended:
            if not self._queue.remove(session, waiter):
                # The place came at the moment the caller gave up.
                self.leave(session)
            if isinstance(ended, TimeoutError):
                raise _busy(
                    f"For {self.wait_seconds:g} s no place became free for this session", hint="its calls end"
                ) from None
            raise

    def leave(self, session: str) -> None:
        """Give a place back."""
        self._places.give_back(session)
        while self._queue.size and (turn := self._queue.take(lambda key, _: self._places.may_take(key))) is not None:
            key, waiter = turn
            self._places.take(key)
            waiter.set_result(None)


def _busy(reason: str, *, hint: str) -> Failure:
    return Failure(
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
        f"{reason}. Nothing was run. Try again when {hint}.",
        boundary=Boundary.RUNTIME,
        retriable=True,
        details={"limit": "waiting"},
    )

"""Carries jobs from the event loop to the writer's thread, and its answers back to those who wait."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from daemon.base.doorbell import Doorbell

J = TypeVar("J")
Answered = tuple["asyncio.Future[Any]", Any]
"""What is waited for, and the answer, which may be an exception."""


class Inbox(Generic[J]):
    """What the writer has not begun yet, in the order in which it came."""

    def __init__(self) -> None:
        self._jobs: deque[J] = deque()
        self._bell = Doorbell()

    def put(self, jobs: Sequence[J]) -> None:
        """Add jobs, and wake the writer."""
        self._jobs.extend(jobs)
        self._bell.ring()

    def take(self, most: int, patience: float | None) -> list[J]:
        """Return the jobs that are here; none if none has come after so many seconds."""
        jobs, taken = self._jobs, list[J]()
        # A ring may be about a job that was taken without waiting for it.
        while not jobs and self._bell.wait(patience):
            pass
        while jobs and len(taken) < most:
            taken.append(jobs.popleft())
        return taken

    def put_back(self, jobs: Sequence[J]) -> None:
        """Have jobs that were taken be the next ones again; called by who takes them."""
        self._jobs.extendleft(reversed(jobs))

    def close(self) -> None:
        """Take the bell down, once the writer has ended."""
        self._bell.close()


class Answers:
    """Where those who wait on one event loop get their answers; made and closed on the loop's own thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, told: Callable[[int], None]) -> None:
        self._loop = loop
        self._told = told
        self._answered: deque[Answered] = deque()
        self._bell = Doorbell()
        loop.add_reader(self._bell.descriptor, self._hand_over)

    def give(self, answered: Sequence[Answered]) -> None:
        """Wake those who wait; called on the writer's thread. If the loop has stopped, nobody is told any more."""
        self._answered.extend(answered)
        self._bell.ring()

    def close(self) -> None:
        """Take the bell down, once the writer has ended."""
        with contextlib.suppress(RuntimeError):  # a loop that is closed watches nothing any more
            self._loop.remove_reader(self._bell.descriptor)
        self._bell.close()

    def _hand_over(self) -> None:
        self._bell.silence()
        count = 0
        while self._answered:
            done, answer = self._answered.popleft()
            count += 1
            if done.done():
                continue
            if isinstance(answer, BaseException):
                done.set_exception(answer)
            else:
                done.set_result(answer)
        self._told(count)


class Waiting(Protocol):
    """Somebody who waits for an answer, and where they get it."""

    done: "asyncio.Future[Any]"
    answers: Answers


class AnswersByLoop:
    """The answers of every event loop that has asked; usually there is one."""

    def __init__(self, *, told: Callable[[int], None]) -> None:
        self._told = told
        self._known: dict[asyncio.AbstractEventLoop, Answers] = {}

    def on(self, loop: asyncio.AbstractEventLoop) -> Answers:
        """Return where a loop gets its answers; called on its own thread. Raises OSError the first time."""
        answers = self._known.get(loop)
        if answers is None:
            answers = self._known[loop] = Answers(loop, told=self._told)
        return answers

    def close(self) -> None:
        """Take all bells down, once the writer has ended."""
        for answers in self._known.values():
            answers.close()
        self._known.clear()


def deliver(waiting: Sequence[Waiting], answers: Sequence[Any]) -> None:
    """Give each its answer, with one ring for each loop; called on the writer's thread."""
    by_loop: dict[Answers, list[Answered]] = {}
    for one, answer in zip(waiting, answers, strict=True):
        by_loop.setdefault(one.answers, []).append((one.done, answer))
    for there, answered in by_loop.items():
        there.give(answered)

"""A run from the side of who asked for it: it goes on whether they wait or not, and wakes them when there is an answer.

under way -> ended, or its tool has asked the person something -> the answer is taken, once
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from daemon.base.tasks import TaskSet
from daemon.execution.held import HeldCalls
from daemon.execution.requests import Finished, PersonAsked, RunRequest, Waiting
from daemon.questions.question import Question


class UnderWay:
    """One run. A caller that hangs up does not stop it: what has begun is brought to an end and written down."""

    __slots__ = ("_held", "_question", "_request", "_task", "_wake")

    def __init__(self, request: RunRequest, *, held: HeldCalls, wake: Callable[[], None]) -> None:
        self._request = request
        self._held = held
        self._wake = wake
        self._question: Question | None = None
        self._task: asyncio.Task[Finished | Waiting]

    def begin(self, work: Coroutine[Any, Any, Finished | Waiting], tasks: TaskSet) -> None:
        """Run it as a task of its own. The work calls `ended` at its end."""
        self._task = tasks.start(work, name=f"run {self._request.call.tool.name}")
        self._task.add_done_callback(self._done)

    @property
    def has_answer(self) -> bool:
        """Say whether there is something to tell."""
        return self._question is not None or self._task.done()

    @property
    def finished(self) -> Finished | None:
        """Return how it ended, if it ran to its end and nothing failed."""
        if not self._task.done() or self._task.cancelled() or self._task.exception() is not None:
            return None
        outcome = self._task.result()
        return outcome if isinstance(outcome, Finished) else None

    def answer(self) -> Finished | Waiting | PersonAsked:
        """Return what there is to tell, or raise the failure that it ended with."""
        question = self._question
        if question is None or self._task.done():
            return self._task.result()
        if self._request.asker is not None:
            self._request.asker.let_go()
        self._held.hold(self._request.call.session, question, self._task)
        return PersonAsked(execution=question.about.execution, question=question)

    def ended(self) -> None:
        """Wake who asked, as the last thing that the task does: who waits in a task of their own sees it done then."""
        self._wake()

    def _done(self, _: "asyncio.Task[Finished | Waiting]") -> None:
        # For who waits without a task, and for a run that was cancelled before it began.
        wake, self._wake = self._wake, _nobody  # nothing of a run that is over refers to itself, so it is freed at once
        wake()

    def asked(self, question: Question) -> None:
        """Hear that the person is asked. Who asked for an approved call does not wait here, and is told nothing."""
        if self._question is None and self._request.approval is None:
            self._question = question
            self._wake()


def _nobody() -> None:
    """Wake nobody: the run is over."""

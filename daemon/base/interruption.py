"""A part of a task that ends when something else happens, or in time, without a second task that watches it."""

import asyncio
from types import TracebackType
from typing import Self

from daemon.base.once import Once


class InterruptedPartError(Exception):
    """What a task did was ended by `interrupt`, and not by whoever may cancel the task."""


class Interruption:
    """Surrounds what may be ended, once: `with Interruption() as part: ...`, and elsewhere `part.interrupt()`.

    What is awaited inside is cancelled, and the part ends with InterruptedPartError. A task that is cancelled at the
    same time ends with CancelledError, as it would without this. It is interrupted by itself when something happens
    (`when`), and when its time is over (`seconds`), which can be made to stand still meanwhile.
    """

    __slots__ = ("_before", "_interrupted", "_left", "_loop", "_task", "_timer", "_until", "_when")

    def __init__(self, *, seconds: float | None = None, when: Once | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._interrupted = False
        self._before = 0
        self._when = when
        self._left = seconds
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task(self._loop)
        if self._task is None:
            raise RuntimeError("only a task can be interrupted")
        self._before = self._task.cancelling()
        if self._when is not None:
            self._when.listen(self.interrupt)
        if self._left is not None:
            self.go_on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._when is not None:
            self._when.forget(self.interrupt)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._interrupted and task is not None:
            alone = task.uncancel() <= self._before
            if alone and kind is asyncio.CancelledError:
                raise InterruptedPartError from problem

    def interrupt(self) -> None:
        """End the part, if it goes on. To be called from outside of the task: by a callback, or by another task."""
        if self._task is not None and not self._interrupted:
            self._interrupted = True
            self._task.cancel()

    def hold(self) -> None:
        """Let the time stand still."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left = self._until - self._loop.time()

    def go_on(self) -> None:
        """Let the time go on, unless it goes on already, or the part has not begun or is over."""
        if self._timer is None and self._left is not None and self._task is not None and not self._interrupted:
            self._until = self._loop.time() + self._left
            self._timer = self._loop.call_later(self._left, self.interrupt)

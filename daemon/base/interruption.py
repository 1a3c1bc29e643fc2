"""A part of a task that can be ended from outside, without a second task that watches it."""

import asyncio
from types import TracebackType
from typing import Self


class InterruptedPartError(Exception):
    """What a task did was ended by `interrupt`, and not by whoever may cancel the task."""


class Interruption:
    """Surrounds what may be ended, once: `with Interruption() as part: ...`, and elsewhere `part.interrupt()`.

    What is awaited inside is cancelled, and the part ends with InterruptedPartError. A task that is cancelled at the
    same time ends with CancelledError, as it would without this.
    """

    __slots__ = ("_before", "_interrupted", "_loop", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._interrupted = False
        self._before = 0

    def __enter__(self) -> Self:
        self._task = asyncio.current_task(self._loop)
        if self._task is None:
            raise RuntimeError("only a task can be interrupted")
        self._before = self._task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._interrupted and task is not None:
            alone = task.uncancel() <= self._before
            if alone and kind is asyncio.CancelledError:
                raise InterruptedPartError from problem

    @property
    def goes_on(self) -> bool:
        """Say whether the part has begun, and was neither ended nor interrupted."""
        return self._task is not None and not self._interrupted

    def interrupt(self) -> None:
        """End the part, if it goes on. To be called from outside of the task: by a callback, or by another task."""
        if self._task is not None and not self._interrupted:
            self._interrupted = True
            self._task.cancel()

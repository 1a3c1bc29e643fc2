"""Background tasks with an owner, who keeps them from being collected, logs their failures, and ends them."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from daemon.core.failures import Failure

T = TypeVar("T")
_log = structlog.get_logger("daemon.tasks")


class TaskSet:
    """Holds a reference to every task it starts; without one, Python may collect a task that is still running."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
        """Start a task and keep it until it is done."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def close(self) -> None:
        """Cancel what is still running and wait for its end."""
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.difference_update(tasks)

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        problem = task.exception()
        # The caller who awaits the task gets a Failure as an answer; anything else is a defect and belongs in the log.
        if problem is not None and not isinstance(problem, Failure):
            _log.error("a background task failed", task=task.get_name(), exc_info=problem)

"""Background tasks: held, heard of when they fail, and ended with their set."""

import asyncio
import gc
import json
from pathlib import Path

import pytest

from daemon.base.logging import start_logging
from daemon.base.redaction import Redactor
from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass


async def test_a_task_that_nobody_holds_comes_to_its_end() -> None:
    tasks, done = TaskSet(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.set()

    tasks.start(work(), name="work")
    gc.collect()
    await asyncio.wait_for(done.wait(), 2)


async def test_a_task_returns_what_its_work_returns() -> None:
    async def work() -> int:
        return 7

    assert await TaskSet().start(work(), name="work") == 7


async def test_closing_waits_until_everything_has_ended() -> None:
    tasks, ended = TaskSet(), []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.append("stubborn")
            tasks.start(late(), name="late")

    async def late() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("late")

    tasks.start(stubborn(), name="stubborn")
    await asyncio.sleep(0.01)
    await asyncio.wait_for(tasks.close(), 2)
    assert ended[0] == "stubborn"
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(
    ("problem", "lines"),
    [
        (RuntimeError("a defect"), 1),
        (Failure(FailureClass.VAULT_LOCKED, "an answer", boundary=Boundary.USER), 0),
        (asyncio.CancelledError(), 0),
    ],
)
async def test_a_defect_is_in_the_log_and_an_answer_is_not(tmp_path: Path, problem: BaseException, lines: int) -> None:
    path = tmp_path / "daemon.jsonl"
    path.touch()

    async def work() -> None:
        raise problem

    with start_logging(path, level="info", redactor=Redactor()):
        task = TaskSet().start(work(), name="the work")
        await asyncio.wait([task])
        await asyncio.sleep(0)
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(written) == lines
    assert all(line["task"] == "the work" and "a defect" in line["exception"] for line in written)

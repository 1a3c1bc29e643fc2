"""Calls that go on without who asked: each has one outcome, which is that session's, and few are kept."""

import asyncio
from collections.abc import Awaitable

import pytest

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.execution.held import MOST_KEPT, HeldCalls
from daemon.execution.requests import Finished, Waiting
from daemon.questions.asked import Asked
from daemon.questions.question import About, Question, QuestionState

LOST = Failure(FailureClass.OUTCOME_UNKNOWN, "The daemon was stopped.", boundary=Boundary.RUNTIME)


def question(execution: str = "exe_1") -> Question:
    about = About(session="ses_1", asker=Principal.agent("ses_1"), origin="github", tool="x", execution=execution)
    return Question(
        id="qst_1", about=about, asked=Asked("?", None, None), state=QuestionState.OPEN, created_ms=0, expires_ms=1
    )


def finished(execution: str = "exe_1") -> Finished:
    return Finished(audit_id="aud_1", execution=execution, result="done")


def running(work: Awaitable[Finished | Waiting]) -> "asyncio.Task[Finished | Waiting]":
    async def run() -> Finished | Waiting:
        return await work

    return asyncio.ensure_future(run())


async def test_the_outcome_is_the_same_however_often_it_is_asked_for_and_only_by_its_session() -> None:
    held, outcome = HeldCalls(), asyncio.get_running_loop().create_future()
    held.hold("ses_1", question(), running(outcome))
    before = await held.result("ses_1", "exe_1", seconds=0)
    assert (before.is_over, before.asked_by, before.question) == (False, "github", "qst_1")
    waiting = [asyncio.ensure_future(held.result("ses_1", "exe_1", seconds=30)) for _ in range(20)]
    await asyncio.sleep(0)
    outcome.set_result(finished())
    assert {id((await each).outcome) for each in waiting} == {id(outcome.result())}
    with pytest.raises(Failure, match="no call"):
        await held.result("ses_2", "exe_1", seconds=0)
    held.session_ended("ses_1")
    with pytest.raises(Failure, match="no call"):
        await held.result("ses_1", "exe_1", seconds=0)


@pytest.mark.parametrize("problem", [LOST, ZeroDivisionError()])
async def test_a_call_that_failed_is_never_said_to_run(problem: Exception) -> None:
    held, outcome = HeldCalls(), asyncio.get_running_loop().create_future()
    held.hold("ses_1", question(), running(outcome))
    outcome.set_exception(problem)
    call = await held.result("ses_1", "exe_1", seconds=30)
    assert call.failure is not None
    assert call.failure.failure_class is FailureClass.OUTCOME_UNKNOWN


async def test_few_outcomes_are_kept_and_no_call_that_runs_is_forgotten() -> None:
    held, outcome = HeldCalls(), asyncio.get_running_loop().create_future()
    held.hold("ses_1", question("exe_first"), running(outcome))
    for number in range(3 * MOST_KEPT):
        held.interrupted("ses_1", f"exe_{number}", LOST)
    assert not (await held.result("ses_1", "exe_first", seconds=0)).is_over
    assert (await held.result("ses_1", f"exe_{3 * MOST_KEPT - 1}", seconds=0)).failure is LOST
    with pytest.raises(Failure, match="it may have run: look before you call again"):
        await held.result("ses_1", "exe_0", seconds=0)
    outcome.set_result(finished("exe_first"))
    assert (await held.result("ses_1", "exe_first", seconds=30)).is_over

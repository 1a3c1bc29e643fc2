"""What a tool asks back while it runs: answered once, by the session whose call it is, and only while that runs."""

import asyncio

import pytest

from daemon.api.talking import CallTalk, Questions
from daemon.core.failures import Failure, FailureClass

ELICIT = "elicitation/create"


def talk(questions: Questions) -> CallTalk:
    return CallTalk(questions, session="ses_a", answers=frozenset({ELICIT}))


async def asked(call: CallTalk) -> tuple[asyncio.Task[object], str]:
    """Ask something back; return the waiting tool, and the id of its question."""
    waiting: asyncio.Task[object] = asyncio.ensure_future(call.answer(ELICIT, {"message": "?"}))
    await asyncio.sleep(0)
    ((_, question),) = call.take()
    return waiting, question["id"]


async def test_a_question_is_answered_once_by_its_own_session_only() -> None:
    questions = Questions()
    waiting, question = await asked(talk(questions))
    with pytest.raises(Failure) as other:
        questions.answer("ses_b", question, {"action": "accept"})
    assert other.value.failure_class is FailureClass.NOT_FOUND
    questions.answer("ses_a", question, {"action": "decline"})
    assert await waiting == {"action": "decline"}
    with pytest.raises(Failure, match="no open question"):
        questions.answer("ses_a", question, {"action": "accept"})


async def test_a_question_is_gone_with_its_call() -> None:
    questions = Questions()
    call = talk(questions)
    waiting, question = await asked(call)
    call.cancelled.set()
    with pytest.raises(Failure, match="hung up"):
        await waiting
    with pytest.raises(Failure, match="no open question"):
        questions.answer("ses_a", question, {"action": "accept"})


async def test_what_the_caller_does_not_answer_it_is_not_asked_so_that_others_are() -> None:
    call = CallTalk(Questions(), session="ses_a", answers=frozenset())
    assert await call.answer(ELICIT, {}) is None
    assert await talk(Questions()).answer(ELICIT, {"mode": "url"}) is None, "it did not say that it shows pages"
    assert call.take() == ()


async def test_a_question_that_the_caller_cannot_answer_after_all_is_for_others() -> None:
    questions = Questions()
    waiting, question = await asked(talk(questions))
    questions.answer("ses_a", question, None)
    assert await waiting is None


async def test_a_call_that_goes_on_without_its_caller_is_not_called_off_and_its_questions_are_for_others() -> None:
    questions = Questions()
    call = talk(questions)
    waiting, question = await asked(call)
    call.let_go()
    assert await waiting is None
    call.hung_up()
    assert not call.cancelled.is_set()
    assert await call.answer(ELICIT, {}) is None
    with pytest.raises(Failure, match="no open question"):
        questions.answer("ses_a", question, {"action": "accept"})


async def test_a_caller_that_hangs_up_calls_its_call_off() -> None:
    call = talk(Questions())
    call.hung_up()
    assert call.cancelled.is_set()


async def test_open_questions_of_a_session_are_bounded_and_leave_room_for_others() -> None:
    questions = Questions()
    call = talk(questions)
    waiting = [asyncio.ensure_future(call.answer(ELICIT, {})) for _ in range(16)]
    await asyncio.sleep(0)
    with pytest.raises(Failure, match="16 questions"):
        await call.answer(ELICIT, {})
    questions.put("ses_b")
    call.cancelled.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    questions.put("ses_a")


async def test_a_caller_that_does_not_read_loses_the_oldest_progress_and_keeps_the_questions() -> None:
    call = talk(Questions())
    waiting, question = await asked(call)
    again = asyncio.ensure_future(call.answer(ELICIT, {}))
    await asyncio.sleep(0)
    for step in range(1000):
        call.progress({"progress": step, "progressToken": "ours"})
    told = call.take()
    assert [data["progress"] for name, data in told if name == "progress"] == list(range(900, 1000))
    assert sum(name == "asked" for name, _ in told) == 1
    assert "ours" not in str(told)
    for task in (waiting, again):
        task.cancel()
    await asyncio.gather(waiting, again, return_exceptions=True)
    assert question

"""Questions to the person, over a real log: each ends once, whatever happens at the same moment."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from approvals.approval_room import AGENT, ApprovalRoom, open_room
from waiting import eventually

from daemon.audit.query import EventFilter, query_events
from daemon.base.clock import IdSource
from daemon.base.tasks import TaskSet
from daemon.core.failures import Failure, FailureClass
from daemon.core.principal import Means, Principal
from daemon.questions.answering import Answer
from daemon.questions.asked import ELICIT
from daemon.questions.question import About, Action, Question, QuestionState
from daemon.questions.service import MOST_OF_A_SERVER, MOST_OF_A_SESSION, Questions

PERSON = Principal.person(Means.CLI)
ASK: dict[str, Any] = {"message": "?", "requestedSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}
ACCEPT = Answer(action=Action.ACCEPT, content={"a": "x"})


class Asking:
    """The questions of one life of a daemon."""

    def __init__(self, room: ApprovalRoom, *, expires_seconds: float = 60.0) -> None:
        self.tasks = TaskSet()
        self.room = room
        self.shown: list[Question] = []
        self.questions = Questions(
            audit=room.audit,
            clock=room.clock,
            ids=IdSource(clock=room.clock, entropy=os.urandom),
            tasks=self.tasks,
            expires_seconds=expires_seconds,
        )

    def ask(self, *, session: str = "ses_1", origin: str = "github", ask: dict[str, Any] = ASK) -> asyncio.Task[Any]:
        about = About(session=session, asker=AGENT, origin=origin, tool=f"{origin}/ask", execution="exe_1")
        return asyncio.ensure_future(self.questions.ask(about, ELICIT, ask, shown=self.shown.append))

    async def asked(self, **given: Any) -> tuple[asyncio.Task[Any], Question]:
        before = len(self.shown)
        task = self.ask(**given)
        await eventually(lambda: len(self.shown) > before or task.done())
        return task, self.shown[-1]


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with open_room(tmp_path) as room:
        made = Asking(room)
        yield made
        await made.tasks.close()


async def test_an_answer_is_taken_once_and_only_of_what_is_open(asking: Asking) -> None:
    task, question = await asking.asked()
    first, second = await asyncio.gather(
        asking.questions.answer(question.id, ACCEPT, by=PERSON),
        asking.questions.answer(question.id, Answer(action=Action.DECLINE), by=PERSON),
        return_exceptions=True,
    )
    assert isinstance(first, Question)
    assert isinstance(second, Failure)
    assert second.failure_class is FailureClass.APPROVAL_VOID
    assert await task == {"action": "accept", "content": {"a": "x"}}
    with pytest.raises(Failure, match="no question"):
        await asking.questions.answer("qst_1", ACCEPT, by=PERSON)


async def test_a_call_that_ends_takes_its_question_along(asking: Asking) -> None:
    task, question = await asking.asked()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert asking.questions.open() == []
    assert asking.questions.get(question.id).state is QuestionState.ENDED
    with pytest.raises(Failure, match="The call that it was for is over"):
        await asking.questions.answer(question.id, ACCEPT, by=PERSON)


async def test_a_call_that_ends_while_the_answer_is_written_down_is_said_not_to_have_had_it(asking: Asking) -> None:
    task, question = await asking.asked()
    answering = asyncio.ensure_future(asking.questions.answer(question.id, ACCEPT, by=PERSON))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(Failure, match="was not told your answer"):
        await answering


async def test_a_session_that_ends_ends_its_questions_and_no_others(asking: Asking) -> None:
    mine, _ = await asking.asked(session="ses_1")
    other, question = await asking.asked(session="ses_2")
    asking.questions.session_ended("ses_1")
    assert await mine == {"action": "cancel"}
    assert [each.id for each in asking.questions.open()] == [question.id]
    asking.questions.close("The daemon is stopping.")
    assert await other == {"action": "cancel"}
    refused = asking.ask()
    with pytest.raises(Failure, match="stopping"):
        await refused


async def test_open_questions_are_bounded_by_server_and_by_session(asking: Asking) -> None:
    tasks = [asking.ask() for _ in range(MOST_OF_A_SERVER)]
    await asyncio.sleep(0)
    with pytest.raises(Failure, match="Too many"):
        await asking.ask()
    tasks.extend(asking.ask(origin=f"server-{number}") for number in range(MOST_OF_A_SESSION - MOST_OF_A_SERVER))
    await asyncio.sleep(0)
    with pytest.raises(Failure, match="Too many"):
        await asking.ask(origin="another")
    tasks.append(asking.ask(session="ses_2"))
    await eventually(lambda: len(asking.shown) == len(tasks))
    asking.questions.close("over")
    await asyncio.gather(*tasks)


async def test_a_question_that_nobody_answers_expires_and_is_told_so(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        asking = Asking(room, expires_seconds=0.05)
        task, question = await asking.asked()
        assert await task == {"action": "cancel"}
        assert asking.questions.get(question.id).stands() == "Nobody answered in time."
        await asking.tasks.close()


async def test_what_cannot_be_written_down_is_not_asked_and_not_answered(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        asking = Asking(room)
        task, question = await asking.asked()
        await room.audit.close()
        with pytest.raises(Failure) as refused:
            await asking.questions.answer(question.id, ACCEPT, by=PERSON)
        assert refused.value.failure_class is FailureClass.AUDIT_UNAVAILABLE
        assert not task.done()
        assert asking.questions.get(question.id).is_open
        with pytest.raises(Failure):
            await asking.ask(origin="other")
        assert [each.id for each in asking.questions.open()] == [question.id]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asking.tasks.close()


async def test_what_a_person_typed_is_nowhere_in_the_log(asking: Asking) -> None:
    _, question = await asking.asked()
    typed = Answer(action=Action.ACCEPT, typed={"a": ["sentinel-77ab"]})
    await asking.questions.answer(question.id, typed, by=PERSON)
    with asking.room.engine.connect() as connection:
        payloads = [event.payload for event in query_events(connection, EventFilter(limit=None))]
    assert any("aileron.question.action" in payload for payload in payloads)
    assert "sentinel-77ab" not in str(payloads)

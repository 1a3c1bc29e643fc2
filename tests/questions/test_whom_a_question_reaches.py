"""How a run reaches people: who asked for the call first, the person where that one cannot, and nobody passed over."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from approvals.approval_room import AGENT, open_room
from questions.test_questions import ASK, Asking
from waiting import eventually

from daemon.base.once import Once
from daemon.core.failures import Failure
from daemon.execution.reach import Reach
from daemon.questions.asked import ELICIT
from daemon.questions.question import About, Question

ABOUT = About(session="ses_1", asker=AGENT, origin="github", tool="github/ask", execution="exe_1")
SAMPLE = "sampling/createMessage"


class Agent:
    """Who asked for the call: answers some methods, when the test says so."""

    log_level = None

    def __init__(self, *methods: str) -> None:
        self.cancelled = Once()
        self.methods = methods
        self.may_answer = asyncio.Event()
        self.heard: list[str] = []

    @property
    def capabilities(self) -> Mapping[str, Any]:
        return {"sampling": {}} if SAMPLE in self.methods else {}

    def progress(self, params: Mapping[str, Any]) -> None:
        self.heard.append(f"progress {params['progress']}")

    def log(self, params: Mapping[str, Any]) -> None:
        self.heard.append(f"line {params['data']}")

    async def answer(self, method: str, _: Mapping[str, Any], name: str = "") -> Mapping[str, Any] | None:
        if method not in self.methods:
            return None
        await self.may_answer.wait()
        return {"by": "agent", "name": name}

    def let_go(self) -> None:
        self.heard.append("let go")


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with open_room(tmp_path) as room:
        made = Asking(room)
        yield made
        await made.tasks.close()


def reach(asking: Asking, agent: Agent | None) -> tuple[Reach, list[Question]]:
    told: list[Question] = []
    return Reach(asker=agent, questions=asking.questions, about=lambda: ABOUT, told=told.append), told


async def test_what_the_agent_answers_no_person_is_asked(asking: Asking) -> None:
    agent = Agent(ELICIT)
    talk, told = reach(asking, agent)
    agent.may_answer.set()
    assert await talk.answer(ELICIT, ASK, "colour") == {"by": "agent", "name": "colour"}
    assert asking.questions.all() == []
    assert told == []


async def test_what_is_for_the_agent_goes_first_when_the_person_is_asked_at_the_same_time(asking: Asking) -> None:
    agent = Agent(SAMPLE)
    talk, told = reach(asking, agent)
    of_the_person = asyncio.ensure_future(talk.answer(ELICIT, ASK))
    of_the_agent = asyncio.ensure_future(talk.answer(SAMPLE, {}))
    await eventually(lambda: len(asking.questions.open()) == 1)
    await asyncio.sleep(0.2)
    assert told == [], "who is told does not listen any more, and has something to answer"
    agent.may_answer.set()
    assert (await of_the_agent)["by"] == "agent"
    await eventually(lambda: told == list(asking.questions.open()))
    asking.questions.close("over")
    assert await of_the_person == {"action": "cancel"}


async def test_where_nobody_listens_the_person_is_asked_and_nothing_else_is_answered(asking: Asking) -> None:
    talk, told = reach(asking, None)
    assert talk.cancelled is None
    assert talk.log_level is None
    assert set(talk.capabilities) == {"elicitation"}
    talk.progress({"progress": 1})
    talk.log({"data": "x"})
    with pytest.raises(Failure, match="Nobody here answers sampling"):
        await talk.answer(SAMPLE, {})
    asked = asyncio.ensure_future(talk.answer(ELICIT, ASK))
    await eventually(lambda: len(told) == 1)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert asking.questions.open() == []


async def test_progress_and_lines_go_to_who_listens(asking: Asking) -> None:
    agent = Agent(SAMPLE)
    talk, _ = reach(asking, agent)
    talk.progress({"progress": 1})
    talk.log({"data": "x"})
    assert agent.heard == ["progress 1", "line x"]
    assert set(talk.capabilities) == {"elicitation", "sampling"}
    assert talk.cancelled is agent.cancelled

"""How a tool that runs reaches people: who asked for the call, and the person where that one cannot answer."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from daemon.base.once import Once
from daemon.execution.seam import Asker, Talk
from daemon.questions.asked import OF_THE_PERSON
from daemon.questions.question import About, Call, Question
from daemon.questions.service import Questions

_TOGETHER_SECONDS = 0.05
"""So long after one question, others that were asked together with it may come."""

Told = Callable[[Question], None]
"""Is told of a question when the person can see it."""


class Reach:
    """The talk that a run gives its tool."""

    __slots__ = ("_about", "_asker", "_questions", "_told", "_with_asker", "_with_person")

    def __init__(self, *, asker: Asker | None, questions: Questions, about: Callable[[], About], told: Told) -> None:
        self._asker = asker
        self._questions = questions
        self._about = about
        self._told = told
        self._with_asker = 0
        self._with_person: dict[str, Question] = {}

    @property
    def cancelled(self) -> Once | None:
        """Return what happens when who asked hangs up; None where nobody listens."""
        return None if self._asker is None else self._asker.cancelled

    def progress(self, params: Mapping[str, Any]) -> None:
        """Tell who asked how far the tool is."""
        if self._asker is not None:
            self._asker.progress(params)

    @property
    def log_level(self) -> str | None:
        """Return from which level on who asked wants to hear lines for the log; None for none of them."""
        return None if self._asker is None else self._asker.log_level

    def log(self, params: Mapping[str, Any]) -> None:
        """Tell who asked a line for the log."""
        if self._asker is not None:
            self._asker.log(params)

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """Return what would be answered: what who asked can, and what the person can be asked in any case."""
        said = {} if self._asker is None else self._asker.capabilities
        return {**said, **OF_THE_PERSON}

    async def answer(self, method: str, params: Mapping[str, Any], name: str = "") -> Mapping[str, Any]:
        """Have who asked answer, and the person where that one cannot. Raises a Failure to turn it down.

        Only the person's own surface leads to an answer of theirs: nothing that who asked holds opens it.
        """
        if self._asker is not None:
            self._with_asker += 1
            try:
                answer = await self._asker.answer(method, params, name)
            finally:
                self._with_asker -= 1
                self._tell_soon()
            if answer is not None:
                return answer
        return await self._of_the_person((self,), method, params)

    async def answer_for_one_of(
        self, others: Sequence[Talk], method: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Have the person answer what belongs to this call or to one of others; whoever asked for them is told.

        Raises a Failure to turn it down.
        """
        runs = (self, *(each for each in others if isinstance(each, Reach)))
        return await self._of_the_person(runs, method, params)

    async def _of_the_person(
        self, runs: "Sequence[Reach]", method: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        mine: list[Question] = []
        others = [each._about() for each in runs if each is not self]  # noqa: SLF001 - its own kind
        calls = tuple(Call(about.tool, about.execution) for about in others)

        def shown(question: Question) -> None:
            mine.append(question)
            for each in runs:
                each._put(question)  # noqa: SLF001 - its own kind

        try:
            return await self._questions.ask(replace(self._about(), others=calls), method, params, shown=shown)
        finally:
            for question in mine:
                for each in runs:
                    each._with_person.pop(question.id, None)  # noqa: SLF001 - its own kind

    def _put(self, question: Question) -> None:
        """Tell of a question that may be for this call, under the id of this call."""
        self._with_person[question.id] = replace(question, about=self._about())
        self._tell_soon()

    def _tell_soon(self) -> None:
        """Tell that the person is asked, unless who asked for the call has something to answer, too.

        A tool may ask several things together. Who was told does not listen any more, so what is theirs goes first.
        """
        if self._with_person:
            asyncio.get_running_loop().call_later(_TOGETHER_SECONDS, self._tell)

    def _tell(self) -> None:
        if self._with_person and not self._with_asker:
            self._told(next(iter(self._with_person.values())))

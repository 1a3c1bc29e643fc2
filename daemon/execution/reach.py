"""How a tool that runs reaches people: who asked for the call, and the person where that one cannot answer."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from daemon.execution.seam import Asker
from daemon.questions.question import About, Question
from daemon.questions.service import Questions

Told = Callable[[Question], None]
"""Is told of a question when the person can see it."""


class Reach:
    """The talk that a run gives its tool."""

    def __init__(self, *, asker: Asker | None, questions: Questions, about: About, told: Told) -> None:
        self._asker = asker
        self._questions = questions
        self._about = about
        self._told = told

    @property
    def cancelled(self) -> asyncio.Event | None:
        """Return the event that is set when who asked has hung up; None where nobody listens."""
        return None if self._asker is None else self._asker.cancelled

    def progress(self, params: Mapping[str, Any]) -> None:
        """Tell who asked how far the tool is."""
        if self._asker is not None:
            self._asker.progress(params)

    async def answer(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have who asked answer, and the person where that one cannot. Raises a Failure to turn it down.

        Only the person's own surface leads to an answer of theirs: nothing that who asked holds opens it.
        """
        if self._asker is not None:
            answer = await self._asker.answer(method, params)
            if answer is not None:
                return answer
        return await self._questions.ask(self._about, method, params, shown=self._told)

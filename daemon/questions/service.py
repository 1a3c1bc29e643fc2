"""The questions to the person: each is asked, stands in a list, and ends once, in whatever way.

    asked -> open -> answered by the person: accepted, declined, cancelled
                 |-> expired
                 `-> ended with its call, its session, its server or the daemon

A question lives in memory, as its call does: a daemon that is gone has neither. What was asked and how it ended is in
the log, and an answer is in the log before the server hears it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, IdSource
from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.missing import no_such
from daemon.core.principal import Principal
from daemon.questions import records
from daemon.questions.answering import Answer, filled
from daemon.questions.asked import read_asked
from daemon.questions.feed import QuestionFeed
from daemon.questions.question import STATE_AFTER, About, Action, Question, QuestionState

MOST_OF_A_SERVER = 4
"""Open questions of one server in one session."""
MOST_OF_A_SESSION = 16
_MOST_ENDED = 200
"""Questions that have ended and are still known, so that a late answer is told what became of them."""
_NO_ANSWER: Mapping[str, Any] = {"action": Action.CANCEL.value}


@dataclass(slots=True)
class _Open:
    question: Question
    reply: "asyncio.Future[Mapping[str, Any]]"
    shown: bool = False
    """It is in the log, so it may be shown."""
    taken: bool = False
    """An answer is being written into the log; no other one is taken, and time no longer ends it."""
    expiring: asyncio.TimerHandle | None = field(default=None)


class Questions:
    """All questions to the person. It belongs to the event loop's thread."""

    def __init__(self, *, audit: AuditLog, clock: Clock, ids: IdSource, tasks: TaskSet, expires_seconds: float) -> None:
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._tasks = tasks
        self._expires_seconds = expires_seconds
        self._open: dict[str, _Open] = {}
        self._ended: OrderedDict[str, Question] = OrderedDict()
        self._closed = ""
        self.feed = QuestionFeed()

    # For the tool that asks

    async def ask(
        self, about: About, method: str, params: Mapping[str, Any], *, shown: Callable[[Question], None]
    ) -> Mapping[str, Any]:
        """Ask the person, and return what the server is told; `shown` hears of it when a person can see it.

        Being cancelled ends the question. Raises the Failure of what no person is asked.
        """
        asked = read_asked(method, params)
        self._admit(about)
        now, seconds = self._clock.now_ms(), self._expires_seconds
        question = Question(
            id=self._ids.new(IdPrefix.QUESTION),
            about=about,
            asked=asked,
            state=QuestionState.OPEN,
            created_ms=now,
            expires_ms=now + int(seconds * 1000),
        )
        loop = asyncio.get_running_loop()
        entry = self._open[question.id] = _Open(question, loop.create_future())
        try:
            await self._audit.append(records.asked(question))
            if entry.reply.done():
                await self._note_end(entry.question)  # it ended while it was written down, and nobody has seen it
            else:
                entry.shown = True
                entry.expiring = loop.call_later(seconds, self._expire, question.id)
                self.feed.publish(question)
                shown(question)
            return await entry.reply
        finally:
            # Whoever answered, or whatever ended it, has taken it out before. What is still there, its call has left.
            self._end(question.id, QuestionState.ENDED, "The call that it was for is over.")

    def session_ended(self, session: str) -> None:
        """End what tools asked for the calls of a session."""
        for entry in list(self._open.values()):
            if entry.question.about.session == session:
                self._end(entry.question.id, QuestionState.ENDED, "The session that it was for has ended.")

    def close(self, reason: str) -> None:
        """End every question, and take no more: nobody is there any longer to answer."""
        self._closed = reason
        for question_id in list(self._open):
            self._end(question_id, QuestionState.ENDED, reason)

    # For the person

    def open(self) -> Sequence[Question]:
        """Return what waits for an answer, the newest first."""
        return [each.question for each in reversed(self._open.values()) if each.shown]

    def all(self) -> Sequence[Question]:
        """Return also what has ended not long ago, the newest first."""
        return sorted((*self.open(), *self._ended.values()), key=lambda each: each.id, reverse=True)

    def get(self, question_id: str) -> Question:
        """Return one question; raise the Failure of one that is not there."""
        entry = self._open.get(question_id)
        found = entry.question if entry is not None and entry.shown else self._ended.get(question_id)
        if found is None:
            raise no_such("question", question_id, prefix=IdPrefix.QUESTION, remedy="See `aileron question list`.")
        return found

    async def answer(self, question_id: str, answer: Answer, *, by: Principal) -> Question:
        """Give the person's answer, once. Raises a Failure that names the fields which do not take their values."""
        question = self.get(question_id)
        entry = self._open.get(question_id)
        if entry is None or entry.taken:
            raise _too_late(question.stands() if entry is None else "Somebody answers it just now.")
        content = filled(question, answer)
        entry.taken = True
        try:
            await self._audit.append(records.answered(question, answer.action, content, by=by))
        except BaseException:
            entry.taken = False
            if self._clock.now_ms() >= question.expires_ms:
                self._expire(question_id)
            raise
        if self._open.get(question_id) is not entry:
            raise _too_late(f"{self.get(question_id).stands()} The server was not told your answer.")
        state = STATE_AFTER[answer.action]
        reply = {"action": answer.action.value}
        entry.question = replace(question, state=state, ended_ms=self._clock.now_ms(), ended_by=by)
        self._take_out(entry, {**reply, "content": content} if answer.action is Action.ACCEPT and content else reply)
        return entry.question

    # Ends that no person makes

    def _admit(self, about: About) -> None:
        if self._closed:
            raise _refused(self._closed)
        mine = [each.question.about for each in self._open.values() if each.question.about.session == about.session]
        if len(mine) >= MOST_OF_A_SESSION or sum(each.origin == about.origin for each in mine) >= MOST_OF_A_SERVER:
            raise _refused("Too many questions are open already; go on without an answer.")

    def _expire(self, question_id: str) -> None:
        entry = self._open.get(question_id)
        if entry is not None and not entry.taken:
            self._end(question_id, QuestionState.EXPIRED, "Nobody answered in time.")

    def _end(self, question_id: str, state: QuestionState, reason: str) -> None:
        entry = self._open.get(question_id)
        if entry is None:
            return
        entry.question = replace(entry.question, state=state, ended_ms=self._clock.now_ms(), reason=reason)
        self._take_out(entry, _NO_ANSWER)
        if entry.shown:
            self._tasks.start(self._note_end(entry.question), name=f"end {question_id}")

    def _take_out(self, entry: _Open, reply: Mapping[str, Any]) -> None:
        del self._open[entry.question.id]
        if entry.expiring is not None:
            entry.expiring.cancel()
        if not entry.reply.done():
            entry.reply.set_result(reply)
        if entry.shown:
            self._ended[entry.question.id] = entry.question
            while len(self._ended) > _MOST_ENDED:
                self._ended.popitem(last=False)
            self.feed.publish(entry.question)

    async def _note_end(self, question: Question) -> None:
        # A log that cannot be written says so itself; the question has ended all the same.
        await self._audit.append(records.ended(question))


def _too_late(why: str) -> Failure:
    return Failure(FailureClass.APPROVAL_VOID, f"Nothing was answered. {why}", boundary=Boundary.USER)


def _refused(why: str) -> Failure:
    return Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, why, boundary=Boundary.USER)

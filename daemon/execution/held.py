"""Calls that go on without who asked for them: because a person was asked in the middle, which can take long.

    under way -> ended, and its outcome is kept -> forgotten with its session, or for newer ones

A call is here once, and runs once, however often its outcome is asked for.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.missing import no_such
from daemon.execution.requests import Finished, PersonAsked, Waiting
from daemon.questions.question import Question

MOST_KEPT = 32
"""Outcomes of one session that are kept; more than this, and the oldest one goes."""

Outcome = Finished | Waiting | PersonAsked


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCall:
    """Where such a call stands."""

    execution: str
    asked_by: str
    """The server that asked; empty if that is not known any more."""
    question: str
    """The id of the last question."""
    outcome: Finished | None = None
    failure: Failure | None = None

    @property
    def is_over(self) -> bool:
        """Say whether there is an outcome."""
        return self.outcome is not None or self.failure is not None


@dataclass(slots=True)
class _Kept:
    call: HeldCall
    task: "asyncio.Task[Finished | Waiting] | None"

    def now(self) -> HeldCall:
        task, call = self.task, self.call
        if task is None or not task.done():
            return call
        if task.cancelled():
            return call  # the daemon is ending, and says at its next start what is known of the call
        failure = task.exception()
        outcome = None if failure is not None else task.result()
        return HeldCall(
            execution=call.execution,
            asked_by=call.asked_by,
            question=call.question,
            outcome=outcome if isinstance(outcome, Finished) else None,
            failure=failure if failure is None or isinstance(failure, Failure) else _defect(failure),
        )


class HeldCalls:
    """All of them, by session."""

    def __init__(self) -> None:
        self._kept: dict[str, OrderedDict[str, _Kept]] = {}

    def hold(self, session: str, question: Question, task: "asyncio.Task[Finished | Waiting]") -> None:
        """Keep a call that runs."""
        about = question.about
        call = HeldCall(execution=about.execution, asked_by=about.origin, question=question.id)
        self._put(session, _Kept(call, task))

    def interrupted(self, session: str, execution: str, failure: Failure) -> None:
        """Keep what is known of a call that the last daemon did not live to end."""
        call = HeldCall(execution=execution, asked_by="", question="", failure=failure)
        self._put(session, _Kept(call, None))

    def session_ended(self, session: str) -> None:
        """Forget the calls of a session: its token, with which they were asked for, opens nothing any more."""
        self._kept.pop(session, None)

    async def result(self, session: str, execution: str, *, seconds: float) -> HeldCall:
        """Return where a call of a session stands, as soon as it has ended or when the time is over."""
        kept = self._kept.get(session, OrderedDict()).get(execution)
        if kept is None:
            remedy = "If it is one that Aileron forgot, it may have run: look before you call again."
            raise no_such("call", execution, prefix=IdPrefix.EXECUTION, remedy=remedy)
        if kept.task is not None and not kept.task.done() and seconds > 0:
            await asyncio.wait((kept.task,), timeout=seconds)
        return kept.now()

    def _put(self, session: str, kept: _Kept) -> None:
        mine = self._kept.setdefault(session, OrderedDict())
        mine[kept.call.execution] = kept
        over = [name for name, each in mine.items() if each.task is None or each.task.done()]
        for name in over[: max(0, len(mine) - MOST_KEPT)]:
            del mine[name]


def _defect(problem: BaseException) -> Failure:
    """Return what is said of a call that ended with a defect of ours; the daemon's log has the rest."""
    return Failure(
        FailureClass.OUTCOME_UNKNOWN,
        f"The call hit a defect of Aileron itself ({type(problem).__name__}). It may have run: look first.",
        boundary=Boundary.RUNTIME,
    )

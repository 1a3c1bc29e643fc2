"""One run of a tool, from its place among the others to the end that is written down.

    waiting -> starting -> under way -> ending -> ended
        `-> not begun         `-> (starting failed) not begun

waiting    for a place to compute; nothing is written and nothing has left
starting   the place is there, and the beginning is being made durable, which also spends the approval
under way  something of it may leave
ending     all is done, and the end is being made durable; it is tried again until the log takes it

A run that has not begun has spent nothing and has no end to write.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from daemon.approvals.rules import Rule
from daemon.approvals.service import StaleApprovalError
from daemon.base.clock import Clock
from daemon.base.faults import FaultPoints
from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.fairness import Rank
from daemon.core.outcome import Outcome
from daemon.core.tools import Stage
from daemon.core.turn import Turn
from daemon.execution.checks import Checks, check_accounts
from daemon.execution.journal import ExecutionJournal
from daemon.execution.reach import Reach, Told
from daemon.execution.requests import CheckedRun, Finished
from daemon.questions.question import About
from daemon.questions.service import Questions
from daemon.sessions.service import Sessions

_RECORD_RETRY_SECONDS = 1.0
_STALE_SECONDS = 0.5
"""A run that waited longer than this is checked anew before it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunServices:
    """What every run is made with."""

    checks: Checks
    journal: ExecutionJournal
    sessions: Sessions
    clock: Clock
    tasks: TaskSet
    faults: FaultPoints
    questions: Questions
    may_begin: Callable[[], None]
    """Raises the Failure that keeps every run from beginning, such as that the daemon is stopping."""


class Run:
    """One run. It is also the context that the tool is given."""

    def __init__(
        self,
        *,
        services: RunServices,
        checked: CheckedRun,
        execution: str,
        ruling: Rule,
        told: Told,
        checked_at: float,
        start_by: float | None,
    ) -> None:
        self._services = services
        self._checked = checked
        self._ruling = ruling
        self._checked_at = checked_at
        self._start_by = start_by
        self._started: asyncio.Future[None] | None = None
        """The writing of the beginning."""
        self.begun = False
        """Whether the beginning is on disk, and with it the approval spent."""
        self._reached = checked.prepared.first_stage.name
        self.execution = execution
        self.call = checked.request.call
        self.talk = Reach(
            asker=checked.request.asker,
            questions=services.questions,
            # Not a method of this run: a run that refers to itself stays in memory until the collector finds it.
            about=partial(_about, checked, execution),
            told=told,
        )

    async def run(self) -> Finished:
        """Run the tool and write down the end; a failure before the beginning leaves nothing behind."""
        try:
            outcome = await self._checked.prepared.run(self)
        except Failure as failure:
            outcome = Outcome(failure=failure)
        except Exception as bug:  # noqa: BLE001 - whatever it is, the run has to have an end in the log
            outcome = Outcome(failure=self._defect(bug))
        if not self.begun:
            if outcome.failure is not None and self._started is None:
                raise outcome.failure
            # A tool need not say that something would leave. And what keeps a run from beginning is what it failed for:
            # then this raises, and there is no end to write.
            await self._beginning()
        audit_id = await self._end(outcome)
        return Finished(
            audit_id=audit_id,
            execution=self.execution,
            result=outcome.result,
            content=outcome.content,
            meta=outcome.meta,
            failed_by_tool=outcome.failed_by_tool,
        )

    def _defect(self, bug: Exception) -> Failure:
        defect = Failure(
            FailureClass.INTERNAL_ERROR,
            f"The run of {self._checked.name} hit a defect of Aileron itself ({type(bug).__name__}).",
            boundary=Boundary.RUNTIME,
        )
        defect.__cause__ = bug
        return defect

    # What the tool asks for while it runs

    def check_open(self, stage: Stage) -> None:
        """Raise the Failure that ends the run before a stage."""
        if not self._services.sessions.is_open(self.call.session):
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                f"The session ended before step {stage.name!r}; the rest was not run.",
                boundary=Boundary.USER,
            )

    def enter(self, stage: Stage) -> Turn:
        """Go on to a stage, and return how its work waits for a place to compute."""
        self.check_open(stage)
        session = self._checked.session
        if self._started is not None:
            # An effect may be half done: the rest goes before what has not begun, and never gives up its place.
            return Turn(session=session, rank=Rank.BEGUN)
        wait = None if self._start_by is None else max(0.0, self._start_by - self._services.clock.monotonic())
        rank = self._checked.request.rank
        return Turn(session=session, rank=rank, wait_seconds=wait, on_start=self._start)

    async def before_effect(self, stage: Stage) -> None:
        """Make durable that a stage may take effect: with the first one the beginning, later the stage itself."""
        if not self.begun:
            await self._beginning()
        self._services.faults.hit("execution.before_send")
        if stage.name != self._reached:
            await self._services.journal.reach(self._checked, self.execution, stage)
            self._reached = stage.name

    # Beginning

    def _start(self) -> None:
        """Begin to write the beginning, as the tool begins to compute; nothing leaves before it is on disk."""
        self._services.may_begin()
        if self._started is None:
            self._services.faults.hit("execution.place_taken")
            self._started = self._services.tasks.start(self._begin(), name=f"begin {self.execution}")

    async def _beginning(self) -> None:
        """Wait for the beginning; write it here, if the tool computes nothing meanwhile: that takes no further task."""
        if self._started is not None:
            await self._started
            return
        self._services.may_begin()
        self._services.faults.hit("execution.place_taken")
        started = self._started = asyncio.get_running_loop().create_future()
        try:
            await self._begin()
        except asyncio.CancelledError:
            started.cancel()
            raise
        except Exception as problem:
            started.set_exception(problem)
            started.exception()  # nobody else may wait for it, and then nobody else looks at it
            raise
        started.set_result(None)

    async def _begin(self) -> None:
        checked, services = self._checked, self._services
        if services.clock.monotonic() - self._checked_at > _STALE_SECONDS:
            await services.checks.check_anew(checked)
        services.faults.hit("execution.before_started")
        try:
            # The run may have waited for its place: an approval is spent on the account that was approved only.
            check_accounts(checked)
            await services.journal.start(checked, self.execution, ruling=self._ruling)
        except StaleApprovalError as stale:
            raise Failure(FailureClass.APPROVAL_VOID, f"{stale}", boundary=Boundary.USER) from None
        services.faults.hit("execution.after_started")
        self.begun = True

    # Ending

    async def _end(self, outcome: Outcome) -> str:
        """Write the end down and return its id; raise the failure that the run ended with."""
        if outcome.failure is not None and outcome.completed:
            outcome = outcome._replace(failure=outcome.failure.with_details({"completed_steps": outcome.completed}))
        journal, failure = self._services.journal, outcome.failure
        self._services.faults.hit("execution.before_finished")
        try:
            audit_id = await journal.end(self._checked, self.execution, outcome)
        except Failure as unwritten:
            # The run is over and the log cannot say so yet. It will, as soon as it can; until then nobody may take
            # this for a run that did not happen.
            self._services.tasks.start(self._keep_writing(outcome), name=f"end {self.execution}")
            ended = "succeeded" if failure is None else f"failed with {failure.failure_class.value}: {failure.message}"
            raise Failure(
                FailureClass.AUDIT_UNAVAILABLE,
                f"The run of {self._checked.name} {ended}, but the audit log cannot be written. Do not repeat it.",
                boundary=Boundary.RUNTIME,
                details={"execution": self.execution, "cause": unwritten.message},
            ) from None
        self._services.faults.hit("execution.after_finished")
        if failure is not None:
            raise failure.with_audit_id(audit_id) from failure.__cause__
        return audit_id

    async def _keep_writing(self, outcome: Outcome) -> None:
        while True:
            await asyncio.sleep(_RECORD_RETRY_SECONDS)
            try:
                await self._services.journal.end(self._checked, self.execution, outcome)
                return
            except Failure:
                continue


def _about(checked: CheckedRun, execution: str) -> About:
    """Return what a question is about that the tool asks."""
    return About(
        session=checked.session,
        asker=checked.request.call.principal,
        origin=checked.prepared.subject.origin,
        tool=checked.name,
        execution=execution,
    )

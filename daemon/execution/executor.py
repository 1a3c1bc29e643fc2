"""The one path: every run of a tool, of whatever kind and whoever asked, goes through Executor.run.

    asked -> checked -> allowed ----------> waiting for a place -> begun -> ended
       |        |          ^                        |
       |        |          | a person said yes      `-> not begun: refused, and its approval stays good
       |        |-> asks a person (Waiting)
       `--------`-> refused

While it runs its tool may ask the person something. Then who asked is answered at once (PersonAsked), and the run goes
on: `held.py` keeps its outcome.

Every arrow to `refused`, `asks`, `begun` and `ended` is an event that is durable before anybody is told of it.
What happens between `waiting for a place` and `ended` is drawn in `run.py`.
"""

from collections.abc import Callable

from daemon.approvals.record import ApprovalRequest
from daemon.approvals.rules import Decision, Rule, Rules
from daemon.approvals.service import Approvals
from daemon.base.clock import Clock, IdSource
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.base.tasks import TaskSet
from daemon.base.wake import Wake
from daemon.core.canonical import CanonicalError
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.execution.admission import Admission
from daemon.execution.checks import Checks, check_approved, unwritable
from daemon.execution.held import HeldCalls
from daemon.execution.journal import ExecutionJournal, attributes_of
from daemon.execution.requests import CheckedRun, Finished, PersonAsked, RunRequest, Waiting
from daemon.execution.run import Run, RunServices
from daemon.execution.under_way import UnderWay
from daemon.questions.service import Questions
from daemon.sessions.service import Sessions


class Executor:
    """Checks, asks where a person must be asked, runs, and writes down how it ended."""

    def __init__(
        self,
        *,
        checks: Checks,
        approvals: Approvals,
        rules: Rules,
        journal: ExecutionJournal,
        sessions: Sessions,
        clock: Clock,
        ids: IdSource,
        tasks: TaskSet,
        admission: Admission,
        questions: Questions,
        held: HeldCalls,
        faults: FaultPoints = NO_FAULTS,
    ) -> None:
        self._questions = questions
        self._held = held
        self._checks = checks
        self._approvals = approvals
        self._rules = rules
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._tasks = tasks
        self._admission = admission
        self._faults = faults
        self._services = RunServices(
            checks=checks,
            journal=journal,
            sessions=sessions,
            clock=clock,
            tasks=tasks,
            faults=faults,
            questions=questions,
            may_begin=self._refuse_while_draining,
        )
        self._draining = False

    @property
    def active(self) -> int:
        """Count the runs under way."""
        return self._admission.active

    def begin_drain(self) -> None:
        """Take no further runs; those under way go on, and people are asked nothing any more."""
        self._draining = True
        self._questions.close("The daemon is stopping.")

    async def run(self, request: RunRequest) -> Finished | Waiting | PersonAsked:
        """Run a tool, or say that a person must decide first, or was asked by it; or raise the failure.

        A call that a person approved is waited for to its end: who asked for it does not wait here.
        """
        wake = Wake()
        under_way = self.start(request, wake.set)
        while not under_way.has_answer:
            await wake.wait()
        return under_way.answer()

    def start(self, request: RunRequest, wake: Callable[[], None]) -> UnderWay:
        """Begin what `run` does, for a caller that has more to wait for; it is woken when there is an answer."""
        under_way = UnderWay(request, held=self._held, wake=wake)
        under_way.begin(self._run(request, under_way), self._tasks)
        return under_way

    async def _run(self, request: RunRequest, under_way: UnderWay) -> Finished | Waiting:
        """Check, ask where a person must be asked, wait for a place, and run.

        What cannot begin is refused, and its approval stays good.
        """
        run: Run | None = None
        try:
            request = self._checks.meant(request)
            checked = await self._checks.check(request)
            ruling = self._authorise(checked)
            if ruling.decision is Decision.ASK and request.approval is None:
                return await self._ask(checked)
            checked_at, session = self._clock.monotonic(), request.call.session
            self._faults.hit("execution.before_turn")
            await self._admission.enter(session, rank=request.rank)
            try:
                run = Run(
                    services=self._services,
                    checked=checked,
                    execution=self._ids.new(IdPrefix.EXECUTION),
                    ruling=ruling,
                    told=under_way.asked,
                    checked_at=checked_at,
                    start_by=None if request.approval is not None else checked_at + self._admission.wait_seconds,
                )
                return await run.run()
            finally:
                self._admission.leave(session)
        except Failure as failure:
            if run is not None and (run.begun or failure.failure_class is FailureClass.AUDIT_UNAVAILABLE):
                raise
            raise await self._refused(request, failure) from failure.__cause__
        finally:
            under_way.ended()

    def _authorise(self, checked: CheckedRun) -> Rule:
        """Return what decides about a call; raise the Failure of one that may not run, asked for or approved."""
        if self._draining:
            self._refuse_while_draining()
        tool = checked.request.call.tool
        ruling = self._rules.ruling(tool, required=checked.prepared.approval.required)
        if ruling.decision is Decision.DENY:
            why = f": {ruling.reason}" if ruling.reason else "."
            raise Failure(
                FailureClass.APPROVAL_DENIED,
                f"A rule of this installation denies {checked.name}{why}",
                boundary=Boundary.USER,
            )
        if checked.request.approval is not None:
            check_approved(checked)
        return ruling

    def _refuse_while_draining(self) -> None:
        if self._draining:
            raise Failure(
                FailureClass.RESOURCE_LIMIT_EXCEEDED,
                "The daemon is stopping and takes no new runs; try again when it has started anew.",
                boundary=Boundary.RUNTIME,
                retriable=True,
            )

    async def _ask(self, checked: CheckedRun) -> Waiting:
        call, prepared = checked.request.call, checked.prepared
        try:
            digest = checked.digest
        except CanonicalError as problem:
            raise unwritable(checked, problem) from problem
        approval = await self._approvals.request(
            ApprovalRequest(
                session=call.session,
                actor=call.principal,
                subject=prepared.subject,
                arguments=prepared.arguments,
                digest=digest,
                expires_seconds=prepared.approval.expires_seconds,
                attributes=attributes_of(prepared),
            )
        )
        return Waiting(approval=approval)

    async def _refused(self, request: RunRequest, failure: Failure) -> Failure:
        """Write down that a request was turned away, and return the failure that says so to who asked."""
        if request.waits_for(failure):
            return failure
        return failure.with_audit_id(await self._journal.refuse(request, failure))

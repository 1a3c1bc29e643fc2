"""The one path: every run of an action, whoever asked, goes through Executor.run."""

import asyncio

from daemon.approvals.record import ApprovalRequest
from daemon.approvals.rules import Decision, Rules
from daemon.approvals.service import Approvals
from daemon.base.clock import Clock, IdSource
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.base.tasks import TaskSet
from daemon.connectors.service import ConnectorService
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.sessions.service import Sessions
from daemon.tools.actions.admission import Admission
from daemon.tools.actions.execution import Execution, RunServices, rank_of
from daemon.tools.actions.journal import ExecutionJournal
from daemon.tools.actions.preparation import Preparation
from daemon.tools.actions.requests import Finished, PreparedRun, RunRequest, Waiting


class Executor:
    """Prepares, asks where a person must be asked, runs, and writes down how it ended."""

    def __init__(
        self,
        *,
        preparation: Preparation,
        connectors: ConnectorService,
        approvals: Approvals,
        rules: Rules,
        journal: ExecutionJournal,
        sessions: Sessions,
        clock: Clock,
        ids: IdSource,
        tasks: TaskSet,
        admission: Admission,
        faults: FaultPoints = NO_FAULTS,
    ) -> None:
        self._preparation = preparation
        self._approvals = approvals
        self._rules = rules
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._tasks = tasks
        self._admission = admission
        self._faults = faults
        self._services = RunServices(
            preparation=preparation,
            connectors=connectors,
            journal=journal,
            sessions=sessions,
            clock=clock,
            tasks=tasks,
            faults=faults,
            may_begin=self._refuse_while_draining,
        )
        self._draining = False

    @property
    def active(self) -> int:
        """Count the runs under way."""
        return self._admission.active

    def begin_drain(self) -> None:
        """Take no further runs; those under way go on."""
        self._draining = True

    async def run(self, request: RunRequest) -> Finished | Waiting:
        """Run an action, or write down that a person must decide first, or raise the failure."""
        task = self._tasks.start(self._run(request), name=f"run {request.action}")
        # A caller that hangs up does not stop a run half way: what has begun is brought to an end and written down.
        return await asyncio.shield(task)

    async def _run(self, request: RunRequest) -> Finished | Waiting:
        try:
            prepared = await self._preparation.prepare(request)
            unattended = self._authorise(prepared)
        except Failure as failure:
            await self._refuse(request, failure)
            raise
        if unattended is None:
            return await self._ask(prepared)
        return await self._execute(prepared, unattended=unattended or None)

    async def _execute(self, prepared: PreparedRun, *, unattended: str | None) -> Finished:
        """Wait for a place and run; what cannot begin is refused, and its approval stays good."""
        request, checked_at = prepared.request, self._clock.monotonic()
        self._faults.hit("execution.before_turn")
        execution: Execution | None = None
        try:
            await self._admission.enter(request.session, rank=rank_of(prepared))
            try:
                execution = Execution(
                    services=self._services,
                    prepared=prepared,
                    execution=self._ids.new(IdPrefix.EXECUTION),
                    unattended=unattended,
                    checked_at=checked_at,
                    start_by=None if request.approval is not None else checked_at + self._admission.wait_seconds,
                )
                return await execution.run()
            finally:
                self._admission.leave(request.session)
        except Failure as failure:
            begun = execution is not None and execution.begun
            if not begun and failure.failure_class is not FailureClass.AUDIT_UNAVAILABLE:
                await self._refuse(request, failure)
            raise

    def _authorise(self, prepared: PreparedRun) -> str | None:
        """Return None if a person must be asked; otherwise the unattended reason, empty where none was needed."""
        self._refuse_while_draining()
        request, action = prepared.request, prepared.action
        ruling = self._rules.ruling(action.name, required=action.approval.required)
        if ruling.decision is Decision.DENY:
            raise Failure(
                FailureClass.APPROVAL_DENIED,
                f"A rule of this installation denies {action.name}: {ruling.reason}",
                boundary=Boundary.USER,
            )
        if request.approval is not None:
            if request.approval.digest != prepared.digest:
                raise Failure(
                    FailureClass.APPROVAL_VOID,
                    f"What was approved for {action.name} is no longer what would run: {_difference(prepared)}",
                    boundary=Boundary.USER,
                )
            return ""
        if ruling.decision is Decision.ASK:
            return None
        return ruling.reason if self._rules.is_unattended(action.name) else ""

    def _refuse_while_draining(self) -> None:
        if self._draining:
            raise Failure(
                FailureClass.RESOURCE_LIMIT_EXCEEDED,
                "The daemon is stopping and takes no new runs; try again when it has started anew.",
                boundary=Boundary.RUNTIME,
                retriable=True,
            )

    async def _ask(self, prepared: PreparedRun) -> Waiting:
        request, action = prepared.request, prepared.action
        try:
            approval = await self._approvals.request(
                ApprovalRequest(
                    session=request.session,
                    actor=request.actor,
                    action=action.name,
                    action_version=str(action.version),
                    action_hash=prepared.action_hash,
                    connector_hashes=prepared.connector_hashes,
                    accounts=tuple(prepared.accounts.values()),
                    arguments=prepared.arguments,
                    digest=prepared.digest,
                    expires_seconds=action.approval.expires_seconds,
                )
            )
        except Failure as failure:
            await self._refuse(request, failure)
            raise
        return Waiting(approval=approval)

    async def _refuse(self, request: RunRequest, failure: Failure) -> None:
        if request.waits_for(failure):
            return
        await self._journal.refuse(
            session=request.session,
            actor=request.actor,
            action=request.action,
            failure=failure,
            approval=None if request.approval is None else request.approval.id,
        )


def _difference(prepared: PreparedRun) -> str:
    approval = prepared.request.approval
    if approval is None:
        return "there is no approval."
    if approval.session != prepared.request.session:
        return "another session asked."
    if approval.action_hash != prepared.action_hash:
        return "the action file has changed."
    if approval.connector_hashes != prepared.connector_hashes:
        return "a connector has changed."
    if approval.accounts != tuple(prepared.accounts.values()):
        return f"the account has changed. {prepared.account_change(approval)}"
    return "the arguments have changed."

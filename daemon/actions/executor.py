"""The one path: every run of an action, whoever asked, goes through Executor.run."""

import asyncio
from functools import partial
from typing import Any

from daemon.actions.journal import ExecutionJournal
from daemon.actions.preparation import Preparation
from daemon.actions.requests import Finished, PreparedRun, RunRequest, Waiting
from daemon.approvals.record import ApprovalRequest
from daemon.approvals.rules import Decision, Rules
from daemon.approvals.service import Approvals, StaleApprovalError
from daemon.connectors.call import ConnectorCall
from daemon.connectors.service import ConnectorService
from daemon.core.clock import Clock, IdSource
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.faults import NO_FAULTS, FaultPoints
from daemon.core.ids import IdPrefix
from daemon.lifecycle.tasks import TaskSet
from daemon.sessions.service import Sessions

_RECORD_RETRY_SECONDS = 1.0


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
        max_concurrent: int,
        faults: FaultPoints = NO_FAULTS,
    ) -> None:
        self._preparation = preparation
        self._connectors = connectors
        self._approvals = approvals
        self._rules = rules
        self._journal = journal
        self._sessions = sessions
        self._clock = clock
        self._ids = ids
        self._tasks = tasks
        self._slots = asyncio.Semaphore(max_concurrent)
        self._faults = faults
        self._active = 0
        self._draining = False

    @property
    def active(self) -> int:
        """Count the runs under way."""
        return self._active

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
        async with self._slots:
            self._active += 1
            try:
                return await self._execute(prepared, unattended=unattended or None)
            finally:
                self._active -= 1

    def _authorise(self, prepared: PreparedRun) -> str | None:
        """Return None if a person must be asked; otherwise the unattended reason, empty where none was needed."""
        if self._draining:
            raise Failure(
                FailureClass.RESOURCE_LIMIT_EXCEEDED,
                "The daemon is stopping and takes no new runs; try again when it has started anew.",
                boundary=Boundary.RUNTIME,
                retriable=True,
            )
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
                    arguments=prepared.arguments,
                    digest=prepared.digest,
                    expires_seconds=action.approval.expires_seconds,
                )
            )
        except Failure as failure:
            await self._refuse(request, failure)
            raise
        return Waiting(approval=approval)

    async def _execute(self, prepared: PreparedRun, *, unattended: str | None) -> Finished:
        execution = self._ids.new(IdPrefix.EXECUTION)
        # The start is written while the connector computes; nothing leaves before it is on disk (see _before_send).
        started = self._tasks.start(self._begin(prepared, execution, unattended=unattended), name=f"begin {execution}")

        steps: list[dict[str, Any]] = []
        try:
            result = await self._run_steps(prepared, execution, steps, started)
            await started
        except Failure as failure:
            await self._insist_on(started, prepared.request)
            done = [step["id"] for step in steps if step["status"] == "succeeded"]
            if done:
                failure.details["completed_steps"] = done
            await self._settle(prepared, execution, failure=failure, steps=steps)
            raise
        except Exception as bug:
            await self._insist_on(started, prepared.request)
            defect = Failure(
                FailureClass.INTERNAL_ERROR,
                f"The run of {prepared.action.name} hit a defect of Aileron itself ({type(bug).__name__}).",
                boundary=Boundary.RUNTIME,
            )
            await self._settle(prepared, execution, failure=defect, steps=steps)
            raise defect from bug
        audit_id = await self._settle(prepared, execution, failure=None, steps=steps, result=result)
        return Finished(audit_id=audit_id, execution=execution, result=result)

    async def _begin(self, prepared: PreparedRun, execution: str, *, unattended: str | None) -> None:
        self._faults.hit("execution.before_started")
        try:
            await self._journal.start(prepared, execution, unattended=unattended)
        except StaleApprovalError as stale:
            raise Failure(FailureClass.APPROVAL_VOID, f"{stale}", boundary=Boundary.USER) from None
        self._faults.hit("execution.after_started")

    async def _insist_on(self, started: "asyncio.Task[None]", request: RunRequest) -> None:
        """Raise what kept a run from beginning; such a run has nothing to settle, because nothing of it left."""
        try:
            await started
        except Failure as failure:
            if failure.failure_class is not FailureClass.AUDIT_UNAVAILABLE:
                await self._refuse(request, failure)
            raise

    async def _run_steps(
        self, prepared: PreparedRun, execution: str, steps: list[dict[str, Any]], started: "asyncio.Task[None]"
    ) -> Any:
        request = prepared.request
        results: dict[str, Any] = {}
        value: Any = None
        for index, step in enumerate(prepared.action.steps):
            if not self._sessions.is_open(request.session):
                raise Failure(
                    FailureClass.CAPABILITY_DENIED,
                    f"The session ended before step {step.id!r}; the rest was not run.",
                    boundary=Boundary.USER,
                )
            record: dict[str, Any] = {"id": step.id, "op": step.op, "status": "failed"}
            steps.append(record)
            began = self._clock.monotonic()
            try:
                inputs = prepared.step_inputs(index, results)
                outcome = await self._connectors.call(
                    ConnectorCall(
                        requirement=prepared.action.requirement_for(step.connector),
                        op=step.op,
                        arguments=inputs,
                        seconds=step.timeout_seconds,
                        execution=execution,
                        session=request.session,
                        actor=request.actor,
                        action=prepared.action.name,
                        before_send=partial(self._before_send, prepared, execution, index, started),
                    )
                )
            except Failure as failure:
                record["attempts"] = failure.details.get("attempts", [])
                failure.details.setdefault("step", step.id)
                raise
            finally:
                record["ms"] = round((self._clock.monotonic() - began) * 1000)
            record["status"] = "succeeded"
            record["attempts"] = [attempt.as_json() for attempt in outcome.attempts]
            if outcome.binding is not None:
                record["binding"] = outcome.binding
            value = results[step.id] = outcome.value
        return value

    async def _before_send(
        self, prepared: PreparedRun, execution: str, index: int, started: "asyncio.Task[None]"
    ) -> None:
        await started
        self._faults.hit("execution.before_send")
        if index > 0:
            await self._journal.reach_step(prepared, execution, index)

    async def _settle(
        self,
        prepared: PreparedRun,
        execution: str,
        *,
        failure: Failure | None,
        steps: list[dict[str, Any]],
        result: Any = None,
    ) -> str:
        self._faults.hit("execution.before_finished")
        try:
            audit_id = await self._write_end(prepared, execution, failure=failure, steps=steps, result=result)
        except Failure as unwritten:
            # The run is over and the log cannot say so yet. It will, as soon as it can; until then nobody may take
            # this for a run that did not happen.
            self._tasks.start(
                self._keep_writing(prepared, execution, failure=failure, steps=steps, result=result),
                name=f"settle {execution}",
            )
            ended = "succeeded" if failure is None else f"failed with {failure.failure_class.value}: {failure.message}"
            raise Failure(
                FailureClass.AUDIT_UNAVAILABLE,
                f"The run of {prepared.action.name} {ended}, but the audit log cannot be written. Do not repeat it.",
                boundary=Boundary.RUNTIME,
                details={"execution": execution, "cause": unwritten.message},
            ) from None
        self._faults.hit("execution.after_finished")
        return audit_id

    async def _write_end(
        self,
        prepared: PreparedRun,
        execution: str,
        *,
        failure: Failure | None,
        steps: list[dict[str, Any]],
        result: Any,
    ) -> str:
        if failure is None:
            return await self._journal.succeed(prepared, execution, result=result, steps=steps)
        await self._journal.fail(prepared, execution, failure, steps=steps)
        return failure.audit_id or ""

    async def _keep_writing(
        self,
        prepared: PreparedRun,
        execution: str,
        *,
        failure: Failure | None,
        steps: list[dict[str, Any]],
        result: Any,
    ) -> None:
        while True:
            await asyncio.sleep(_RECORD_RETRY_SECONDS)
            try:
                await self._write_end(prepared, execution, failure=failure, steps=steps, result=result)
                return
            except Failure:
                continue

    async def _refuse(self, request: RunRequest, failure: Failure) -> None:
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
    return "the arguments have changed."

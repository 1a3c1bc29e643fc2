"""One run of an action, from its first guest's place to the end that is written down.

    waiting -> starting -> under way -> settled
        `-> not begun         `-> (starting failed) not begun

A run that has not begun has spent nothing and has nothing to settle.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from daemon.approvals.service import StaleApprovalError
from daemon.base.clock import Clock
from daemon.base.faults import FaultPoints
from daemon.base.tasks import TaskSet
from daemon.connectors.call import ConnectorCall
from daemon.connectors.service import ConnectorService
from daemon.connectors.wasm.turn import Turn
from daemon.core.action import Step
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.fairness import Rank
from daemon.sessions.service import Sessions
from daemon.tools.actions.journal import ExecutionJournal
from daemon.tools.actions.preparation import Preparation
from daemon.tools.actions.requests import Finished, PreparedRun

_RECORD_RETRY_SECONDS = 1.0
_STALE_SECONDS = 0.5
"""A run that waited longer than this is checked anew before it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunServices:
    """What every run is made with."""

    preparation: Preparation
    connectors: ConnectorService
    journal: ExecutionJournal
    sessions: Sessions
    clock: Clock
    tasks: TaskSet
    faults: FaultPoints
    may_begin: Callable[[], None]
    """Raises the Failure that keeps every run from beginning, such as that the daemon is stopping."""


class Execution:
    """A run: its beginning is written when its guest gets a place to compute, its end when all is over."""

    def __init__(
        self,
        *,
        services: RunServices,
        prepared: PreparedRun,
        execution: str,
        unattended: str | None,
        checked_at: float,
        start_by: float | None,
    ) -> None:
        self._services = services
        self._prepared = prepared
        self._id = execution
        self._unattended = unattended
        self._checked_at = checked_at
        self._start_by = start_by
        self._started: asyncio.Task[None] | None = None
        self._steps: list[dict[str, Any]] = []

    @property
    def begun(self) -> bool:
        """Say whether the beginning is on disk, and with it the approval spent."""
        started = self._started
        return started is not None and started.done() and not started.cancelled() and started.exception() is None

    async def run(self) -> Finished:
        """Run the steps and write down the end; a failure before the beginning leaves nothing behind."""
        try:
            result = await self._run_steps()
            await self._beginning()
        except Failure as failure:
            await self._insist_on_beginning(failure)
            done = [step["id"] for step in self._steps if step["status"] == "succeeded"]
            if done:
                failure.details["completed_steps"] = done
            await self._settle(failure=failure)
            raise
        except Exception as bug:
            defect = Failure(
                FailureClass.INTERNAL_ERROR,
                f"The run of {self._prepared.action.name} hit a defect of Aileron itself ({type(bug).__name__}).",
                boundary=Boundary.RUNTIME,
            )
            await self._insist_on_beginning(defect)
            await self._settle(failure=defect)
            raise defect from bug
        audit_id = await self._settle(failure=None, result=result)
        return Finished(audit_id=audit_id, execution=self._id, result=result)

    # Beginning

    def _start(self) -> None:
        """Begin to write the beginning, as the guest begins to compute; nothing leaves before it is on disk."""
        self._services.may_begin()
        if self._started is None:
            self._services.faults.hit("execution.place_taken")
            self._started = self._services.tasks.start(self._begin(), name=f"begin {self._id}")

    async def _begin(self) -> None:
        prepared, services = self._prepared, self._services
        if services.clock.monotonic() - self._checked_at > _STALE_SECONDS:
            await self._check_anew()
        services.faults.hit("execution.before_started")
        try:
            # The run may have waited for its place: an approval is spent on the account that was approved only.
            services.preparation.check_accounts(prepared)
            await services.journal.start(prepared, self._id, unattended=self._unattended)
        except StaleApprovalError as stale:
            raise Failure(FailureClass.APPROVAL_VOID, f"{stale}", boundary=Boundary.USER) from None
        services.faults.hit("execution.after_started")

    async def _check_anew(self) -> None:
        """The world may have changed while the call waited: it runs only if it is still what was checked then."""
        again = await self._services.preparation.prepare(self._prepared.request)
        if again.digest != self._prepared.digest:
            approved = self._prepared.request.approval is not None
            raise Failure(
                FailureClass.APPROVAL_VOID if approved else FailureClass.HASH_MISMATCH,
                f"What {self._prepared.action.name} would do changed while the call waited for its turn, so it was not"
                " run. Ask again.",
                boundary=Boundary.USER if approved else Boundary.ACTION,
                retriable=not approved,
            )

    async def _beginning(self) -> None:
        if self._started is not None:
            await self._started

    async def _insist_on_beginning(self, failure: Failure) -> None:
        """Raise what kept a run from beginning; such a run has nothing to settle, because nothing of it left."""
        if self._started is None:
            raise failure
        await self._started

    # Steps

    async def _run_steps(self) -> Any:
        results: dict[str, Any] = {}
        value: Any = None
        for index, step in enumerate(self._prepared.action.steps):
            if not self._services.sessions.is_open(self._prepared.request.session):
                raise Failure(
                    FailureClass.CAPABILITY_DENIED,
                    f"The session ended before step {step.id!r}; the rest was not run.",
                    boundary=Boundary.USER,
                )
            record: dict[str, Any] = {"id": step.id, "op": step.op, "status": "failed"}
            self._steps.append(record)
            value = results[step.id] = await self._run_step(index, step, record, results)
        return value

    async def _run_step(self, index: int, step: Step, record: dict[str, Any], results: dict[str, Any]) -> Any:
        services, prepared = self._services, self._prepared
        request = prepared.request
        began = services.clock.monotonic()
        try:
            outcome = await services.connectors.call(
                ConnectorCall(
                    requirement=prepared.action.requirement_for(step.connector),
                    op=step.op,
                    arguments=prepared.step_inputs(index, results),
                    seconds=step.timeout_seconds,
                    execution=self._id,
                    session=request.session,
                    actor=request.actor,
                    action=prepared.action.name,
                    account=prepared.accounts.get(str(step.connector)),
                    before_send=partial(self._before_send, index),
                    turn=self._turn(index),
                )
            )
        except Failure as failure:
            record["attempts"] = failure.details.get("attempts", [])
            failure.details.setdefault("step", step.id)
            raise
        finally:
            record["ms"] = round((services.clock.monotonic() - began) * 1000)
        record["status"] = "succeeded"
        record["attempts"] = [attempt.as_json() for attempt in outcome.attempts]
        if outcome.binding is not None:
            record["binding"] = outcome.binding
        return outcome.value

    def _turn(self, index: int) -> Turn:
        session = self._prepared.request.session
        if index > 0:
            # An effect may be half done: the rest goes before what has not begun, and never gives up its place.
            return Turn(session=session, rank=Rank.BEGUN)
        wait = None if self._start_by is None else max(0.0, self._start_by - self._services.clock.monotonic())
        return Turn(session=session, rank=rank_of(self._prepared), wait_seconds=wait, on_start=self._start)

    async def _before_send(self, index: int) -> None:
        await self._beginning()
        self._services.faults.hit("execution.before_send")
        if index > 0:
            await self._services.journal.reach_step(self._prepared, self._id, index)

    # Ending

    async def _settle(self, *, failure: Failure | None, result: Any = None) -> str:
        self._services.faults.hit("execution.before_finished")
        try:
            audit_id = await self._write_end(failure=failure, result=result)
        except Failure as unwritten:
            # The run is over and the log cannot say so yet. It will, as soon as it can; until then nobody may take
            # this for a run that did not happen.
            self._services.tasks.start(self._keep_writing(failure=failure, result=result), name=f"settle {self._id}")
            ended = "succeeded" if failure is None else f"failed with {failure.failure_class.value}: {failure.message}"
            raise Failure(
                FailureClass.AUDIT_UNAVAILABLE,
                f"The run of {self._prepared.action.name} {ended}, but the audit log cannot be written."
                " Do not repeat it.",
                boundary=Boundary.RUNTIME,
                details={"execution": self._id, "cause": unwritten.message},
            ) from None
        self._services.faults.hit("execution.after_finished")
        return audit_id

    async def _write_end(self, *, failure: Failure | None, result: Any) -> str:
        journal = self._services.journal
        if failure is None:
            return await journal.succeed(self._prepared, self._id, result=result, steps=self._steps)
        await journal.fail(self._prepared, self._id, failure, steps=self._steps)
        return failure.audit_id or ""

    async def _keep_writing(self, *, failure: Failure | None, result: Any) -> None:
        while True:
            await asyncio.sleep(_RECORD_RETRY_SECONDS)
            try:
                await self._write_end(failure=failure, result=result)
                return
            except Failure:
                continue


def rank_of(prepared: PreparedRun) -> Rank:
    """Say in which order a run waits among those of its session: what a person approved goes first."""
    return Rank.NEW if prepared.request.approval is None else Rank.APPROVED

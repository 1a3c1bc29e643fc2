"""Writes down each stage of an execution: the event and the open-execution row in one transaction."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, update

from daemon.approvals.machine import ApprovalState
from daemon.approvals.service import Approvals
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.audit.repeats import Repeats
from daemon.base.clock import Clock, IdSource
from daemon.core.failures import Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.principal import Principal
from daemon.core.visible import visible
from daemon.db import tables
from daemon.db.statements import HotStatement
from daemon.tools.actions.requests import PreparedRun

_OPEN = tables.open_executions
_INSERT = HotStatement(insert(_OPEN))
_CLOSE = HotStatement(delete(_OPEN).where(_OPEN.c.id == bindparam("execution")))
_MAX_NAME = 200


class ExecutionJournal:
    """What is on disk about a run, before, during and after it."""

    def __init__(self, *, audit: AuditLog, repeats: Repeats, approvals: Approvals, clock: Clock, ids: IdSource) -> None:
        self._audit = audit
        self._repeats = repeats
        self._approvals = approvals
        self._clock = clock
        self._ids = ids

    async def start(self, prepared: PreparedRun, execution: str, *, unattended: str | None) -> None:
        """Write down that a run begins, and spend its approval, before the first byte can leave."""
        request = prepared.request
        audit_id = self._ids.new(IdPrefix.AUDIT)
        now = self._clock.now_ms()
        approval = request.approval
        spend = None if approval is None else self._approvals.spending(approval, execution=execution)

        row = {
            "id": execution,
            "session": request.session,
            "actor": str(request.actor),
            "action": request.action,
            "approval": None if approval is None else approval.id,
            "step": prepared.action.steps[0].id,
            "may_have_left": not prepared.step_may_repeat(0),
            "started_ms": now,
            "started_audit_id": audit_id,
        }

        def store(conn: Connection) -> None:
            if spend is not None:
                spend(conn)
            _INSERT.run(conn, row)

        payload: dict[str, Any] = {
            "aileron.execution.id": execution,
            "aileron.action.version": str(prepared.action.version),
            "aileron.action.hash": prepared.action_hash,
            "aileron.action.arguments": dict(prepared.arguments),
            "aileron.connector.hashes": list(prepared.connector_hashes),
            "aileron.connector.accounts": [account.as_json() for account in prepared.accounts.values()],
        }
        if approval is not None:
            payload["aileron.approval.id"] = approval.id
            payload["aileron.approval.digest"] = approval.digest
        if unattended is not None:
            payload["aileron.approval.unattended_reason"] = unattended
        event = self._event("execution.started", prepared, payload, audit_id=audit_id)
        await self._audit.append(event, effect=store)
        if approval is not None:
            await self._approvals.announce(approval.id)

    async def reach_step(self, prepared: PreparedRun, execution: str, index: int) -> None:
        """Write down that a later step is about to send something."""
        step = prepared.action.steps[index]
        values: dict[str, Any] = {"step": step.id}
        if not prepared.step_may_repeat(index):
            values["may_have_left"] = True

        def store(conn: Connection) -> None:
            conn.execute(update(_OPEN).where(_OPEN.c.id == execution).values(**values))

        payload = {"aileron.execution.id": execution, "aileron.step.id": step.id, "aileron.step.op": step.op}
        await self._audit.append(self._event("execution.step", prepared, payload), effect=store)

    async def succeed(self, prepared: PreparedRun, execution: str, *, result: Any, steps: list[Any]) -> str:
        """Write down that a run ended well."""
        audit_id = self._ids.new(IdPrefix.AUDIT)
        outcome = {"result": result, "audit_id": audit_id}
        payload = {"aileron.execution.id": execution, "aileron.execution.steps": steps}
        event = self._event("execution.succeeded", prepared, payload, audit_id=audit_id)
        await self._close(prepared, execution, event, ApprovalState.COMPLETED, outcome)
        return audit_id

    async def fail(self, prepared: PreparedRun, execution: str, failure: Failure, *, steps: list[Any]) -> None:
        """Write down that a run failed, or that nobody can know whether it did."""
        unknown = failure.failure_class is FailureClass.OUTCOME_UNKNOWN
        failure.audit_id = self._ids.new(IdPrefix.AUDIT)
        payload = {
            "aileron.execution.id": execution,
            "aileron.execution.steps": steps,
            "error.message": failure.message,
            "error.boundary": failure.boundary.value,
            "error.details": failure.details,
        }
        event = self._event(
            "execution.unknown" if unknown else "execution.failed",
            prepared,
            payload,
            audit_id=failure.audit_id,
            failure_class=failure.failure_class,
        )
        state = ApprovalState.UNKNOWN if unknown else ApprovalState.FAILED
        await self._close(prepared, execution, event, state, failure.envelope())

    async def refuse(
        self, *, session: str, actor: Principal, action: str, failure: Failure, approval: str | None
    ) -> None:
        """Write down, or count, that a request was turned away before anything started."""
        payload: dict[str, Any] = {
            "error.message": failure.message,
            "error.boundary": failure.boundary.value,
            "error.details": failure.details,
        }
        if approval is not None:
            payload["aileron.approval.id"] = approval
        if not action.isprintable() or not 0 < len(action) <= _MAX_NAME:
            # Not a name at all: kept as what it is, a piece of somebody's request, and not in the column of names.
            payload["aileron.action.requested"], action = visible(action[:_MAX_NAME]), "(not a name)"
        event = AuditEvent(
            type="action.refused",
            session=session,
            actor=actor,
            action=action,
            failure_class=failure.failure_class.value,
            payload=payload,
        )
        failure.audit_id = await self._repeats.record(event)

    async def _close(
        self,
        prepared: PreparedRun,
        execution: str,
        event: AuditEvent,
        state: ApprovalState,
        outcome: Mapping[str, Any],
    ) -> None:
        approval = prepared.request.approval
        settle = None if approval is None else self._approvals.settling(approval.id, state, outcome)
        await self._audit.append(event, effect=_closing(execution, settle))
        if approval is not None:
            await self._approvals.announce(approval.id)

    @staticmethod
    def _event(
        event_type: str,
        prepared: PreparedRun,
        payload: Mapping[str, Any],
        *,
        audit_id: str | None = None,
        failure_class: FailureClass | None = None,
    ) -> AuditEvent:
        return AuditEvent(
            id=audit_id,
            type=event_type,
            session=prepared.request.session,
            actor=prepared.request.actor,
            action=prepared.action.name,
            connector=str(prepared.action.steps[0].connector),
            failure_class=None if failure_class is None else failure_class.value,
            payload=payload,
        )


def _closing(execution: str, settle: Callable[[Connection], None] | None) -> Callable[[Connection], None]:
    def close(conn: Connection) -> None:
        _CLOSE.run(conn, {"execution": execution})
        if settle is not None:
            settle(conn)

    return close

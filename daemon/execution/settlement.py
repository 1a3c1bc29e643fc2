"""Settles, at start, the runs that the last daemon did not live to finish."""

from typing import Any

from sqlalchemy import Connection, delete, select

from daemon.approvals.machine import ApprovalState
from daemon.approvals.service import Approvals
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import IdSource
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.principal import DAEMON
from daemon.core.vocabulary import Attr, EventType
from daemon.db import tables
from daemon.db.reader import Reader
from daemon.execution.held import HeldCalls
from daemon.execution.journal import error_attributes

_OPEN = tables.open_executions


async def settle_interrupted(
    *, audit: AuditLog, approvals: Approvals, held: HeldCalls, reader: Reader, ids: IdSource
) -> int:
    """Give every interrupted run an end: unknown if something may have left, a plain failure if repeating is safe.

    Who asked for one, and was told that it goes on by itself, learns of that end where it was to ask for the outcome.
    """
    rows = await reader.read(lambda conn: conn.execute(select(_OPEN).order_by(_OPEN.c.started_ms)).all())
    for row in rows:
        failure = await _settle(row, audit=audit, approvals=approvals, ids=ids)
        if row.approval is None:
            held.interrupted(row.session, row.id, failure)
    return len(rows)


async def _settle(row: Any, *, audit: AuditLog, approvals: Approvals, ids: IdSource) -> Failure:
    audit_id = ids.new(IdPrefix.AUDIT)
    failure = _verdict(row).with_audit_id(audit_id)
    unknown = failure.failure_class is FailureClass.OUTCOME_UNKNOWN
    settle = None
    if row.approval is not None:
        state = ApprovalState.UNKNOWN if unknown else ApprovalState.FAILED
        settle = approvals.settling(row.approval, state, failure.envelope())

    def close(conn: Connection) -> None:
        conn.execute(delete(_OPEN).where(_OPEN.c.id == row.id))
        if settle is not None:
            settle(conn)

    event = AuditEvent(
        id=audit_id,
        type=EventType.EXECUTION_UNKNOWN if unknown else EventType.EXECUTION_FAILED,
        session=row.session,
        actor=DAEMON,
        action=row.name,
        failure_class=failure.failure_class.value,
        payload={
            Attr.EXECUTION_ID: row.id,
            Attr.EXECUTION_STARTED_AUDIT_ID: row.started_audit_id,
            Attr.EXECUTION_INTERRUPTED: True,
            Attr.TOOL_KIND: row.kind,
            Attr.STEP_ID: row.stage,
            **error_attributes(failure),
        },
    )
    await audit.append(event, effect=close)
    if row.approval is not None:
        await approvals.announce(row.approval)
    return failure


def _verdict(row: Any) -> Failure:
    details = {"execution": row.id, "step": row.stage}
    if row.may_have_left:
        return Failure(
            FailureClass.OUTCOME_UNKNOWN,
            f"The daemon was stopped while {row.name} ran (step {row.stage}). It may or may not have taken effect: "
            "look at the service before asking again.",
            boundary=Boundary.RUNTIME,
            details=details,
        )
    return Failure(
        FailureClass.CONNECTOR_RUNTIME_ERROR,
        f"The daemon was stopped while {row.name} ran (step {row.stage}). Every operation begun was one that may be "
        "repeated, so asking again is safe.",
        boundary=Boundary.RUNTIME,
        retriable=True,
        details=details,
    )

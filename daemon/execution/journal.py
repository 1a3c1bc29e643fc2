"""Writes down each stage of a run: the event and the open-execution row in one transaction."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, update

from daemon.approvals.machine import ApprovalState
from daemon.approvals.rules import Decision, Rule
from daemon.approvals.service import Approvals
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.audit.repeats import Repeats
from daemon.base.clock import Clock, IdSource
from daemon.core.canonical import CanonicalError, canonical_json
from daemon.core.failures import Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.outcome import Outcome, StageRecord
from daemon.core.tools import Stage
from daemon.core.visible import visible
from daemon.core.vocabulary import Attr, EventType
from daemon.db import tables
from daemon.db.statements import HotStatement
from daemon.execution.checks import unwritable
from daemon.execution.requests import CheckedRun, RunRequest
from daemon.execution.seam import PreparedCall

_OPEN = tables.open_executions
_INSERT = HotStatement(insert(_OPEN), [column.name for column in _OPEN.columns])
_CLOSE = HotStatement(delete(_OPEN).where(_OPEN.c.id == bindparam("execution")), ["execution"])
_MAX_NAME = 200
_FAILED_BY_TOOL = "The tool answered, and said that it failed."


class ExecutionJournal:
    """What is on disk about a run, before, during and after it."""

    def __init__(self, *, audit: AuditLog, repeats: Repeats, approvals: Approvals, clock: Clock, ids: IdSource) -> None:
        self._audit = audit
        self._repeats = repeats
        self._approvals = approvals
        self._clock = clock
        self._ids = ids

    async def start(self, checked: CheckedRun, execution: str, *, ruling: Rule) -> None:
        """Write down that a run begins, and spend its approval, before the first byte can leave."""
        call, approval, prepared = checked.request.call, checked.request.approval, checked.prepared
        stage = prepared.first_stage
        audit_id = self._ids.new(IdPrefix.AUDIT)
        spend = None if approval is None else self._approvals.spending(approval, execution=execution)
        row = (  # in the order of the table's columns
            execution,
            call.session,
            str(call.principal),
            call.tool.kind,
            call.tool.name,
            None if approval is None else approval.id,
            stage.name,
            not stage.may_repeat,
            self._clock.now_ms(),
            audit_id,
        )

        def store(conn: Connection) -> None:
            if spend is not None:
                spend(conn)
            _INSERT.run(conn, row)

        payload: dict[str, Any] = {Attr.EXECUTION_ID: execution, **attributes_of(prepared)}
        payload[Attr.DECISION] = f"{ruling.decision}"
        if ruling.name is not None:
            payload[Attr.DECISION_RULE] = ruling.name
        if approval is not None:
            payload[Attr.APPROVAL_ID] = approval.id
            payload[Attr.APPROVAL_DIGEST] = approval.digest
        elif ruling.name is not None and ruling.decision is Decision.ALLOW:
            payload[Attr.APPROVAL_UNATTENDED_REASON] = ruling.reason
        event = _event(EventType.EXECUTION_STARTED, checked, payload, audit_id=audit_id)
        try:
            await self._audit.append(event, effect=store)
        except CanonicalError as problem:
            raise unwritable(checked, problem) from problem
        if approval is not None:
            await self._approvals.announce(approval.id)

    async def reach(self, checked: CheckedRun, execution: str, stage: Stage) -> None:
        """Write down that a later stage is about to send something."""
        values: dict[str, Any] = {"stage": stage.name}
        if not stage.may_repeat:
            values["may_have_left"] = True

        def store(conn: Connection) -> None:
            conn.execute(update(_OPEN).where(_OPEN.c.id == execution).values(**values))

        payload = {Attr.EXECUTION_ID: execution, Attr.STEP_ID: stage.name, Attr.STEP_OP: stage.op}
        await self._audit.append(_event(EventType.EXECUTION_STEP, checked, payload), effect=store)

    async def end(self, checked: CheckedRun, execution: str, outcome: Outcome) -> str:
        """Write down that a run ended well, failed, or ended so that nobody can know; return the event's id."""
        audit_id = self._ids.new(IdPrefix.AUDIT)
        payload: dict[str, Any] = {
            Attr.EXECUTION_ID: execution,
            Attr.EXECUTION_STEPS: list(map(StageRecord.as_json, outcome.stages)),
        }
        failure = outcome.failure
        if failure is None:
            payload |= _size_and_digest(outcome)
            event_type, state = EventType.EXECUTION_SUCCEEDED, ApprovalState.COMPLETED
            if outcome.failed_by_tool:
                payload[Attr.ERROR_MESSAGE] = _FAILED_BY_TOOL
                event_type, state = EventType.EXECUTION_FAILED, ApprovalState.FAILED
        else:
            unknown = failure.failure_class is FailureClass.OUTCOME_UNKNOWN
            payload |= error_attributes(failure)
            event_type = EventType.EXECUTION_UNKNOWN if unknown else EventType.EXECUTION_FAILED
            state = ApprovalState.UNKNOWN if unknown else ApprovalState.FAILED
        failed = FailureClass.EXTERNAL_API_ERROR if outcome.failed_by_tool else None
        failed = failed if failure is None else failure.failure_class
        event = _event(event_type, checked, payload, audit_id=audit_id, failure_class=failed)
        approval = checked.request.approval
        settle = None
        if approval is not None:
            kept = _kept(outcome, audit_id) if failure is None else failure.with_audit_id(audit_id).envelope()
            settle = self._approvals.settling(approval.id, state, kept)
        await self._audit.append(event, effect=_closing(execution, settle))
        if approval is not None:
            await self._approvals.announce(approval.id)
        return audit_id

    async def refuse(self, request: RunRequest, failure: Failure) -> str:
        """Write down, or count, that a request was turned away before anything started; return the event's id."""
        call, name = request.call, request.call.tool.name
        payload = {Attr.TOOL_KIND: call.tool.kind, **error_attributes(failure)}
        if request.approval is not None:
            payload[Attr.APPROVAL_ID] = request.approval.id
        if not name.isprintable() or not 0 < len(name) <= _MAX_NAME:
            # Not a name at all: kept as what it is, a piece of somebody's request, and not in the column of names.
            payload[Attr.ACTION_REQUESTED], name = visible(name[:_MAX_NAME]), "(not a name)"
        event = AuditEvent(
            type=EventType.ACTION_REFUSED,
            session=call.session,
            actor=call.principal,
            action=name,
            failure_class=failure.failure_class.value,
            payload=payload,
        )
        return await self._repeats.record(event)


def attributes_of(prepared: PreparedCall) -> dict[str, Any]:
    """Return what events say of a call: the same for tools of every kind, and after it what this kind says besides."""
    subject = prepared.subject
    return {
        Attr.EXECUTION_MODE: subject.kind,
        Attr.TOOL_KIND: subject.kind,
        Attr.TOOL_ORIGIN: subject.origin,
        Attr.TOOL_NAME: subject.name,
        Attr.TOOL_DEFINITION_HASH: subject.definition,
        prepared.arguments_key or Attr.TOOL_ARGUMENTS: dict(prepared.arguments),
        **prepared.attributes,
    }


def _kept(outcome: Outcome, audit_id: str) -> dict[str, Any]:
    """Return the result as it is kept for whoever asks what became of an approved call."""
    kept: dict[str, Any] = {"result": outcome.result, "audit_id": audit_id}
    if outcome.content is not None:
        kept["content"] = [dict(block) for block in outcome.content]
    if outcome.meta is not None:
        kept["meta"] = dict(outcome.meta)
    if outcome.failed_by_tool:
        kept["is_error"] = True
    return kept


def _size_and_digest(outcome: Outcome) -> dict[str, Any]:
    """Return what the log says of a result, which it does not hold: how large it was, and its hash."""
    given = {"result": outcome.result, "content": outcome.content}
    try:
        raw = canonical_json(given).encode()
    except CanonicalError:
        # Lone surrogates and the like have no canonical form; a result is not refused for them.
        raw = json.dumps(given, sort_keys=True, separators=(",", ":"), default=dict).encode()
    return {Attr.RESULT_BYTES: len(raw), Attr.RESULT_SHA256: hashlib.sha256(raw).hexdigest()}


def error_attributes(failure: Failure) -> dict[str, Any]:
    """Return what an event says of a failure beside its class, which has a column."""
    return {
        Attr.ERROR_MESSAGE: failure.message,
        Attr.ERROR_BOUNDARY: failure.boundary.value,
        Attr.ERROR_DETAILS: dict(failure.details),
    }


def _event(
    event_type: str,
    checked: CheckedRun,
    payload: Mapping[str, Any],
    *,
    audit_id: str | None = None,
    failure_class: FailureClass | None = None,
) -> AuditEvent:
    call = checked.request.call
    return AuditEvent(
        id=audit_id,
        type=event_type,
        session=call.session,
        actor=call.principal,
        action=call.tool.name,
        connector=checked.prepared.first_stage.target,
        failure_class=None if failure_class is None else failure_class.value,
        payload=payload,
    )


def _closing(execution: str, settle: Callable[[Connection], None] | None) -> Callable[[Connection], None]:
    def close(conn: Connection) -> None:
        _CLOSE.run(conn, (execution,))
        if settle is not None:
            settle(conn)

    return close

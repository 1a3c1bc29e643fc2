"""Moves approvals through their states: each move is a compare-and-set, durable together with its audit event."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, true, tuple_, update

from daemon.approvals.deadlines import Deadlines
from daemon.approvals.endings import taken_away, withdrawal
from daemon.approvals.feed import ApprovalFeed
from daemon.approvals.machine import OPEN_STATES, ApprovalState, explain, sources_of
from daemon.approvals.record import Approval, ApprovalRequest
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, IdSource
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.canonical import canonical_json
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.missing import no_such
from daemon.core.principal import DAEMON, Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.db import tables
from daemon.db.reader import Reader

MAX_PENDING_PER_SESSION = 50
"""An agent that asks without end must not bury the request a person wants to find."""

_TABLE = tables.approvals
_IS_OPEN = _TABLE.c.state.in_(OPEN_STATES)
_AT_ONCE = 500
_MOVES = {
    ApprovalState.APPROVED: EventType.APPROVAL_APPROVED,
    ApprovalState.DENIED: EventType.APPROVAL_DENIED,
    ApprovalState.EXPIRED: EventType.APPROVAL_EXPIRED,
    ApprovalState.VOID: EventType.APPROVAL_VOID,
}
"""What is written down of a move to a state; running and ended are told by the events of the execution."""


class StaleApprovalError(Exception):
    """Somebody or something else moved the approval first."""

    def __init__(self, approval: Approval) -> None:
        self.approval = approval
        super().__init__(f"approval {approval.id} cannot be changed: {explain(approval.state)}")


class Approvals:
    """The one place that writes down what was asked and what was decided."""

    def __init__(
        self,
        *,
        audit: AuditLog,
        reader: Reader,
        clock: Clock,
        ids: IdSource,
        feed: ApprovalFeed,
        faults: FaultPoints = NO_FAULTS,
    ) -> None:
        self._audit = audit
        self._reader = reader
        self._clock = clock
        self._ids = ids
        self._faults = faults
        self._deadlines = Deadlines(clock)
        self.feed = feed

    async def load(self) -> None:
        """Begin to count the time of what the last daemon left open, and take back what it did not bind to accounts."""
        for approval in await self._select(select(_TABLE).where(_IS_OPEN)):
            self._deadlines.begin(approval.id, since_ms=approval.created_ms, until_ms=approval.expires_ms)
            if not approval.names_accounts:
                await self.void(
                    approval, reason="It was asked for before approvals were bound to the account they use."
                )

    @property
    def may_have_open(self) -> bool:
        """Say whether anything can be open; if not, there is nothing to look for in the database."""
        return len(self._deadlines) > 0

    async def request(self, request: ApprovalRequest) -> Approval:
        """Write down that somebody wants a decision."""
        now = self._clock.now_ms()
        approval_id = self._ids.new(IdPrefix.APPROVAL)
        audit_id = self._ids.new(IdPrefix.AUDIT)
        expires_ms = now + int(request.expires_seconds * 1000)

        def store(conn: Connection) -> None:
            mine = (_TABLE.c.session == request.session) & (_TABLE.c.state == ApprovalState.PENDING)
            pending = conn.execute(select(func.count()).select_from(_TABLE).where(mine)).scalar_one()
            if pending >= MAX_PENDING_PER_SESSION:
                raise Failure(
                    FailureClass.RESOURCE_LIMIT_EXCEEDED,
                    f"{pending} requests of this session wait for a decision; no more until some are decided.",
                    boundary=Boundary.USER,
                    retriable=True,
                )
            conn.execute(
                insert(_TABLE).values(
                    id=approval_id,
                    session=request.session,
                    actor=str(request.actor),
                    asked_with=request.actor.means.value,
                    kind=request.subject.kind,
                    name=request.subject.name,
                    subject=json.dumps(request.subject.as_json()),
                    arguments=canonical_json(dict(request.arguments)),
                    digest=request.digest,
                    state=ApprovalState.PENDING.value,
                    created_ms=now,
                    expires_ms=expires_ms,
                    request_audit_id=audit_id,
                )
            )

        event = AuditEvent(
            id=audit_id,
            type=EventType.APPROVAL_REQUESTED,
            session=request.session,
            actor=request.actor,
            action=request.subject.name,
            payload={
                Attr.APPROVAL_ID: approval_id,
                Attr.APPROVAL_DIGEST: request.digest,
                **request.attributes,
            },
        )
        self._faults.hit("approval.before_request")
        self._deadlines.begin(approval_id, since_ms=now, until_ms=expires_ms)
        await self._audit.append(event, effect=store)
        self._faults.hit("approval.after_request")
        return await self._announce(approval_id)

    async def decide(self, approval_id: str, *, approve: bool, by: Principal, reason: str | None = None) -> Approval:
        """Write down a person's decision; a no also takes back an earlier yes, until the run has really started.

        Raises StaleApprovalError, which says what had become of the approval before.
        """
        while True:
            approval = await self.get(approval_id)
            if approval.state in OPEN_STATES and self._deadlines.is_over(approval):
                approval = await self.expire(approval)
                raise StaleApprovalError(approval)
            self._faults.hit("approval.before_decision")
            try:
                moved = await self._decide_from(approval, approve=approve, by=by, reason=reason)
            except StaleApprovalError as stale:
                if not approve and stale.approval.state in OPEN_STATES:
                    continue  # somebody said yes in between; this person has said no to that, too
                raise
            self._faults.hit("approval.after_decision")
            return moved

    async def _decide_from(self, approval: Approval, *, approve: bool, by: Principal, reason: str | None) -> Approval:
        target = ApprovalState.APPROVED if approve else ApprovalState.DENIED
        values = {
            "decided_ms": self._clock.now_ms(),
            "decided_by": str(by),
            "decided_with": by.means.value,
            "decision_reason": reason,
        }
        withdrawn = not approve and approval.state is ApprovalState.APPROVED
        if withdrawn:
            values["outcome"] = withdrawal(approval, reason)
        return await self._move(
            approval,
            target,
            # From exactly the state that was read: only so does the record tell a no from a yes that was taken back.
            sources=tuple({approval.state} & set(sources_of(target))),
            values=values,
            actor=by,
            payload={Attr.APPROVAL_REASON: reason},
            event_type=EventType.APPROVAL_WITHDRAWN if withdrawn else None,
        )

    async def void(self, approval: Approval, *, reason: str) -> Approval:
        """Take back an approval whose call is no longer the one that was asked about."""
        return await self._move(
            approval,
            ApprovalState.VOID,
            sources=sources_of(ApprovalState.VOID),
            values={
                "finished_ms": self._clock.now_ms(),
                "outcome": taken_away(approval, ApprovalState.VOID, reason),
            },
            actor=DAEMON,
            payload={Attr.APPROVAL_REASON: reason},
        )

    async def expire(self, approval: Approval) -> Approval:
        """Close a request whose time is over."""
        reason = "Nobody decided in time." if approval.state is ApprovalState.PENDING else "It was not run in time."
        return await self._move(
            approval,
            ApprovalState.EXPIRED,
            sources=sources_of(ApprovalState.EXPIRED),
            values={
                "finished_ms": self._clock.now_ms(),
                "outcome": taken_away(approval, ApprovalState.EXPIRED, reason),
            },
            actor=DAEMON,
            payload={Attr.APPROVAL_REASON: reason},
        )

    async def expire_due(self) -> None:
        """Close every open request whose time is over."""
        over = self._deadlines.have_come(limit=_AT_ONCE)
        due = _IS_OPEN & ((_TABLE.c.expires_ms <= self._clock.now_ms()) | _TABLE.c.id.in_(over))
        found = await self._select(select(_TABLE).where(due).limit(_AT_ONCE))
        for approval in found:
            with suppress(StaleApprovalError):
                await self.expire(approval)
        if len(found) < _AT_ONCE:
            for approval_id in over:  # the others are not open, or were never written down
                self._deadlines.forget(approval_id)

    async def sessions_with_open_approvals(self) -> list[str]:
        """Return the sessions that have asked for something that is still open."""
        query = select(_TABLE.c.session).where(_IS_OPEN).distinct()
        return await self._reader.read(lambda conn: list(conn.execute(query).scalars()))

    async def void_session(self, session: str) -> None:
        """Take back what an ended session still had open."""
        await self._void_where(_TABLE.c.session == session, reason="The session that asked has ended.")

    async def void_all(self, *, reason: str) -> int:
        """Take back everything that is open; return how much that was."""
        return await self._void_where(true(), reason=reason)

    async def _void_where(self, which: ColumnElement[bool], *, reason: str) -> int:
        found = await self._select(select(_TABLE).where(_IS_OPEN & which))
        for approval in found:
            with suppress(StaleApprovalError):
                await self.void(approval, reason=reason)
        return len(found)

    def spending(self, approval: Approval, *, execution: str) -> Callable[[Connection], None]:
        """Return the write that spends an approval; it belongs into the transaction of `execution.started`."""
        now = self._clock.now_ms()
        over = self._deadlines.is_over(approval)

        def spend(conn: Connection) -> None:
            if over:
                raise StaleApprovalError(replace(approval, state=ApprovalState.EXPIRED))
            result = conn.execute(
                update(_TABLE)
                .where(_TABLE.c.id == approval.id)
                .where(_TABLE.c.state == ApprovalState.APPROVED)
                .where(_TABLE.c.digest == approval.digest)
                .where(_TABLE.c.expires_ms > now)
                .values(state=ApprovalState.RUNNING.value, execution=execution, started_ms=now)
            )
            if result.rowcount != 1:
                raise StaleApprovalError(_load(conn, approval.id))

        return spend

    async def note_wait(self, approval: Approval, cause: Failure) -> None:
        """Write down what an approved call waits for; nothing, if it is not waiting any more."""

        def check(conn: Connection) -> None:
            current = _load(conn, approval.id)
            if current.state is not ApprovalState.APPROVED:
                raise StaleApprovalError(current)

        event = AuditEvent(
            type=EventType.APPROVAL_WAITING,
            session=approval.session,
            actor=DAEMON,
            action=approval.action,
            failure_class=cause.failure_class.value,
            payload={
                Attr.APPROVAL_ID: approval.id,
                Attr.APPROVAL_DIGEST: approval.digest,
                Attr.ERROR_MESSAGE: cause.message,
            },
        )
        await self._audit.append(event, effect=check)

    def settling(
        self, approval_id: str, state: ApprovalState, outcome: Mapping[str, Any]
    ) -> Callable[[Connection], None]:
        """Return the write that ends a running approval; it belongs to the execution's last event."""
        now = self._clock.now_ms()

        def settle(conn: Connection) -> None:
            conn.execute(
                update(_TABLE)
                .where(_TABLE.c.id == approval_id)
                .where(_TABLE.c.state.in_(sources_of(state)))
                .values(state=state.value, finished_ms=now, outcome=json.dumps(outcome))
            )

        return settle

    async def announce(self, approval_id: str) -> None:
        """Tell the waiters about a move that was made inside another room's transaction."""
        await self._announce(approval_id)

    async def get(self, approval_id: str, *, session: str | None = None) -> Approval:
        """Return an approval; with a session, only if it is that session's own."""
        approval = await self._reader.read(lambda conn: _find(conn, approval_id))
        if approval is None or (session is not None and approval.session != session):
            # The same words for one of another session, so that nobody learns of it.
            remedy = "See `aileron approval list`." if session is None else "Use the approval_id of the answer."
            raise no_such("approval", approval_id, prefix=IdPrefix.APPROVAL, remedy=remedy)
        return approval

    async def find(
        self, *, state: ApprovalState | None = None, limit: int = 100, before: tuple[int, str] | None = None
    ) -> list[Approval]:
        """Return approvals, the newest first; with `before`, those behind the one with this time and id."""
        query = select(_TABLE).order_by(_TABLE.c.created_ms.desc(), _TABLE.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(tuple_(_TABLE.c.created_ms, _TABLE.c.id) < before)
        if state is not None:
            query = query.where(_TABLE.c.state == state.value)
        return await self._select(query)

    async def pending_count(self) -> int:
        """Count the requests that wait for a person."""
        query = select(func.count()).select_from(_TABLE).where(_TABLE.c.state == ApprovalState.PENDING.value)
        return await self._reader.read(lambda conn: int(conn.execute(query).scalar_one()))

    async def wait(self, approval_id: str, *, session: str | None, seconds: float) -> Approval:
        """Return an approval as soon as it has an end, or as it stands when the time is over."""
        deadline = self._clock.monotonic() + seconds
        while True:
            async with self.feed.change_of(approval_id) as changed:
                approval = await self.get(approval_id, session=session)
                remaining = deadline - self._clock.monotonic()
                if approval.finished_ms is not None or approval.state is ApprovalState.DENIED or remaining <= 0:
                    return approval
                try:
                    await asyncio.wait_for(changed.wait(), remaining)
                except TimeoutError:
                    return await self.get(approval_id, session=session)

    async def _move(
        self,
        approval: Approval,
        target: ApprovalState,
        *,
        sources: tuple[ApprovalState, ...],
        values: Mapping[str, Any],
        actor: Principal,
        payload: Mapping[str, Any],
        event_type: str | None = None,
    ) -> Approval:
        def apply(conn: Connection) -> None:
            result = conn.execute(
                update(_TABLE)
                .where(_TABLE.c.id == approval.id)
                .where(_TABLE.c.state.in_(sources))
                .values(state=target.value, **values)
            )
            if result.rowcount != 1:
                raise StaleApprovalError(_load(conn, approval.id))

        event = AuditEvent(
            type=event_type or _MOVES[target],
            session=approval.session,
            actor=actor,
            action=approval.action,
            payload={
                Attr.APPROVAL_ID: approval.id,
                Attr.APPROVAL_DIGEST: approval.digest,
                **payload,
            },
        )
        await self._audit.append(event, effect=apply)
        return await self._announce(approval.id)

    async def _announce(self, approval_id: str) -> Approval:
        approval = await self.get(approval_id)
        if approval.state not in OPEN_STATES:
            self._deadlines.forget(approval_id)
        self.feed.publish(approval)
        return approval

    async def _select(self, query: Any) -> list[Approval]:
        rows = await self._reader.read(lambda conn: conn.execute(query).all())
        return [Approval.from_row(row) for row in rows]


def _find(conn: Connection, approval_id: str) -> Approval | None:
    row = conn.execute(select(_TABLE).where(_TABLE.c.id == approval_id)).one_or_none()
    return None if row is None else Approval.from_row(row)


def _load(conn: Connection, approval_id: str) -> Approval:
    return Approval.from_row(conn.execute(select(_TABLE).where(_TABLE.c.id == approval_id)).one())

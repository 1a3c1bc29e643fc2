"""Runs what a person approved: once, through the one path, also when the daemon restarted in between."""

import asyncio

from daemon.actions.executor import Executor
from daemon.actions.requests import RunRequest
from daemon.approvals.machine import ApprovalState
from daemon.approvals.record import Approval
from daemon.approvals.service import Approvals, StaleApprovalError
from daemon.core.failures import Failure, FailureClass
from daemon.lifecycle.tasks import TaskSet

_TICK_SECONDS = 1.0
_PASSING = frozenset(
    {
        FailureClass.VAULT_LOCKED,
        FailureClass.BINDING_REQUIRED,
        FailureClass.AUDIT_UNAVAILABLE,
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
    }
)
"""What can pass without the approved call having changed; the approval stays good until it expires."""


class Dispatcher:
    """Takes approvals from `approved` to their run, and closes those whose time is over."""

    def __init__(self, *, executor: Executor, approvals: Approvals, tasks: TaskSet) -> None:
        self._executor = executor
        self._approvals = approvals
        self._tasks = tasks
        self._dispatching: set[str] = set()

    def start(self) -> None:
        """Begin to dispatch; what was approved before a restart goes first."""
        self._tasks.start(self._follow(), name="dispatch approvals")

    def dispatch(self, approval: Approval) -> None:
        """Run an approved call, unless that is happening already."""
        if approval.id in self._dispatching:
            return
        self._dispatching.add(approval.id)
        self._tasks.start(self._dispatch(approval), name=f"dispatch {approval.id}")

    async def _follow(self) -> None:
        async with self._approvals.feed.listen() as changes:
            while True:
                await self._sweep()
                try:
                    async with asyncio.timeout(_TICK_SECONDS):
                        while True:
                            approval = await changes.get()
                            if approval.state is ApprovalState.APPROVED:
                                self.dispatch(approval)
                except TimeoutError:
                    continue

    async def _sweep(self) -> None:
        try:
            await self._approvals.expire_due()
            for approval in await self._approvals.find(state=ApprovalState.APPROVED, limit=500):
                self.dispatch(approval)
        except Failure:
            # The log cannot be written just now; the next sweep tries again.
            return

    async def _dispatch(self, approval: Approval) -> None:
        try:
            await self._executor.run(
                RunRequest(
                    session=approval.session,
                    actor=approval.actor,
                    action=approval.action,
                    arguments=approval.arguments,
                    approval=approval,
                )
            )
        except Failure as failure:
            if failure.failure_class not in _PASSING:
                await self._void_unspent(approval, failure)
        finally:
            self._dispatching.discard(approval.id)

    async def _void_unspent(self, approval: Approval, failure: Failure) -> None:
        try:
            current = await self._approvals.get(approval.id)
            if current.state is ApprovalState.APPROVED:
                await self._approvals.void(current, reason=failure.message)
        except (Failure, StaleApprovalError):
            return

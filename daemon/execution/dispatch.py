"""Runs what a person approved: once, through the one path, also when the daemon restarted in between."""

import asyncio
from collections.abc import Callable

from daemon.approvals.machine import ApprovalState
from daemon.approvals.record import Approval
from daemon.approvals.service import Approvals, StaleApprovalError
from daemon.base.tasks import TaskSet
from daemon.core.failures import Failure, FailureClass
from daemon.execution.executor import Executor
from daemon.execution.explanations import call_of
from daemon.execution.requests import RunRequest

_TICK_SECONDS = 1.0


class Dispatcher:
    """Takes approvals from `approved` to their run, and closes those whose time is over.

    An approved call that cannot start yet waits in one of two ways. For a locked vault it is held until the vault
    changes. For what nobody announces (no free place, a log that cannot be written, a daemon that stops) it is tried
    again with every tick. Either way one event says what it waits for, and another one only when that has changed.
    """

    def __init__(self, *, executor: Executor, approvals: Approvals, tasks: TaskSet) -> None:
        self._executor = executor
        self._approvals = approvals
        self._tasks = tasks
        self._dispatching: set[str] = set()
        self._held: dict[str, Approval] = {}
        self._waits_for: dict[str, FailureClass] = {}
        self._vault_changes = 0

    def start(self, *, on_vault_change: Callable[[Callable[[], None]], None]) -> None:
        """Begin to dispatch; what was approved before a restart goes first."""
        on_vault_change(self._vault_changed)
        self._tasks.start(self._follow(), name="dispatch approvals")

    def _vault_changed(self) -> None:
        """Try again what waits for the vault: it was unlocked, or what it holds was changed."""
        self._vault_changes += 1
        held, self._held = self._held, {}
        for approval in held.values():
            self.dispatch(approval)

    def dispatch(self, approval: Approval) -> None:
        """Run an approved call, unless that is happening already or it waits for the vault."""
        if approval.id in self._dispatching or approval.id in self._held:
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
                            self._heard(await changes.get())
                except TimeoutError:
                    continue

    def _heard(self, approval: Approval) -> None:
        if approval.state is ApprovalState.APPROVED:
            self.dispatch(approval)
        else:
            self._forget(approval.id)

    async def _sweep(self) -> None:
        if not self._approvals.may_have_open:
            return  # an idle daemon asks its database nothing
        try:
            await self._approvals.expire_due()
            for approval in await self._approvals.find(state=ApprovalState.APPROVED, limit=500):
                self.dispatch(approval)
        except Failure:
            # The log cannot be written just now; the next sweep tries again.
            return

    async def _dispatch(self, approval: Approval) -> None:
        changes = self._vault_changes
        request = RunRequest(call=call_of(approval), approval=approval)
        try:
            await self._executor.run(request)
        except Failure as failure:
            await self._not_run(request, approval, failure, changes)
        finally:
            self._dispatching.discard(approval.id)

    async def _not_run(self, request: RunRequest, approval: Approval, failure: Failure, changes: int) -> None:
        """Let a call wait, or make its approval void; a run that had started has written its end itself."""
        try:
            current = await self._approvals.get(approval.id)
            if current.state is not ApprovalState.APPROVED:
                self._forget(approval.id)
            elif request.waits_for(failure):
                await self._wait(current, failure, changes)
            else:
                await self._approvals.void(current, reason=failure.message)
        except StaleApprovalError:
            self._forget(approval.id)  # it was withdrawn, or its time or its session was over, in between
        except Failure:
            return  # the log cannot be written just now; the next sweep tries again

    async def _wait(self, approval: Approval, failure: Failure, changes: int) -> None:
        # A vault that was unlocked while this call found it locked will not announce that a second time.
        if failure.failure_class is FailureClass.VAULT_LOCKED and changes == self._vault_changes:
            self._held[approval.id] = approval
        if self._waits_for.get(approval.id) is failure.failure_class:
            return
        await self._approvals.note_wait(approval, failure)
        self._waits_for[approval.id] = failure.failure_class

    def _forget(self, approval_id: str) -> None:
        self._held.pop(approval_id, None)
        self._waits_for.pop(approval_id, None)

"""Puts the one path together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from daemon.approvals.rules import Rules
from daemon.approvals.service import Approvals
from daemon.audit.budget import LogBudget
from daemon.audit.log import AuditLog
from daemon.audit.repeats import Repeats
from daemon.base.clock import Clock, IdSource
from daemon.base.faults import FaultPoints
from daemon.base.tasks import TaskSet
from daemon.execution.admission import Admission
from daemon.execution.checks import Checks
from daemon.execution.dispatch import Dispatcher
from daemon.execution.executor import Executor
from daemon.execution.explanations import Explanations
from daemon.execution.journal import ExecutionJournal
from daemon.execution.previews import Previews
from daemon.execution.seam import ToolProvider
from daemon.execution.toolbox import Toolbox
from daemon.sessions.service import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRoom:
    """What other rooms use of this one."""

    tools: Toolbox
    executor: Executor
    explanations: Explanations
    previews: Previews


def build_execution(
    *,
    providers: Sequence[ToolProvider],
    approvals: Approvals,
    rules: Rules,
    sessions: Sessions,
    audit: AuditLog,
    repeats: Repeats,
    budget: LogBudget,
    admission: Admission,
    clock: Clock,
    ids: IdSource,
    tasks: TaskSet,
    faults: FaultPoints,
    on_vault_change: Callable[[Callable[[], None]], None],
) -> ExecutionRoom:
    """Return the room, with what was approved before already being dispatched."""
    tools = Toolbox(providers, tasks=tasks)
    executor = Executor(
        checks=Checks(tools=tools, sessions=sessions, budget=budget),
        approvals=approvals,
        rules=rules,
        journal=ExecutionJournal(audit=audit, repeats=repeats, approvals=approvals, clock=clock, ids=ids),
        sessions=sessions,
        clock=clock,
        ids=ids,
        tasks=tasks,
        admission=admission,
        faults=faults,
    )
    Dispatcher(executor=executor, approvals=approvals, tasks=tasks).start(on_vault_change=on_vault_change)
    return ExecutionRoom(
        tools=tools, executor=executor, explanations=Explanations(tools), previews=Previews(tools=tools, audit=audit)
    )

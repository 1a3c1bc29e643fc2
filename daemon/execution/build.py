"""Puts the room together: the one path, and what a person is shown of a call."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.approvals.rules import Rules
from daemon.approvals.service import Approvals
from daemon.audit.build import Audit
from daemon.base.clock import Clock, IdSource
from daemon.base.faults import FaultPoints
from daemon.base.tasks import TaskSet
from daemon.execution.admission import Admission
from daemon.execution.checks import Checks
from daemon.execution.dispatch import Dispatcher
from daemon.execution.executor import Executor
from daemon.execution.explanations import Explanations
from daemon.execution.held import HeldCalls
from daemon.execution.journal import ExecutionJournal
from daemon.execution.previews import Previews
from daemon.execution.seam import ToolProvider
from daemon.execution.toolbox import Toolbox
from daemon.questions.service import Questions
from daemon.sessions.service import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How many runs may be under way, how many may wait, and for how long."""

    most: int
    queued: int
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePath:
    """What this room offers."""

    tools: Toolbox
    executor: Executor
    dispatcher: Dispatcher
    """Is started by whoever puts the daemon together, once all that a run needs is there."""
    previews: Previews
    explanations: Explanations
    held: HeldCalls
    """Knows the calls that go on without who asked for them, and, at start, those that the last daemon did not end."""


def build(
    *,
    providers: Sequence[ToolProvider],
    limits: RunLimits,
    audit: Audit,
    approvals: Approvals,
    rules: Rules,
    sessions: Sessions,
    questions: Questions,
    clock: Clock,
    ids: IdSource,
    tasks: TaskSet,
    faults: FaultPoints,
) -> OnePath:
    """Join the one path to what it stands on, and to the kinds of tools."""
    tools = Toolbox(providers, tasks=tasks)
    held = HeldCalls()
    sessions.on_end(held.session_ended)
    executor = Executor(
        checks=Checks(tools=tools, sessions=sessions, budget=audit.budget),
        approvals=approvals,
        rules=rules,
        journal=ExecutionJournal(audit=audit.log, repeats=audit.repeats, approvals=approvals, clock=clock, ids=ids),
        sessions=sessions,
        clock=clock,
        ids=ids,
        tasks=tasks,
        admission=Admission(most=limits.most, queued=limits.queued, wait_seconds=limits.wait_seconds),
        questions=questions,
        held=held,
        faults=faults,
    )
    return OnePath(
        tools=tools,
        executor=executor,
        dispatcher=Dispatcher(executor=executor, approvals=approvals, tasks=tasks),
        previews=Previews(tools=tools, audit=audit.log),
        explanations=Explanations(tools),
        held=held,
    )

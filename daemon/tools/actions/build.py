"""Puts the room together: the installed actions, the one path that runs them, and what a person is shown of a call."""

from dataclasses import dataclass
from pathlib import Path

from daemon.approvals.rules import Rules
from daemon.approvals.service import Approvals
from daemon.audit.build import Audit
from daemon.base.clock import Clock, IdSource
from daemon.base.faults import FaultPoints
from daemon.base.tasks import TaskSet
from daemon.connectors.service import ConnectorService
from daemon.sessions.service import Sessions
from daemon.tools.actions.admission import Admission
from daemon.tools.actions.catalog import ActionCatalog
from daemon.tools.actions.dispatch import Dispatcher
from daemon.tools.actions.executor import Executor
from daemon.tools.actions.explanation import Explanations
from daemon.tools.actions.journal import ExecutionJournal
from daemon.tools.actions.preparation import Preparation
from daemon.tools.actions.preview import Previews


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How many runs may be under way, how many may wait, and for how long."""

    most: int
    queued: int
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Actions:
    """What this room offers."""

    catalog: ActionCatalog
    executor: Executor
    dispatcher: Dispatcher
    """Is started by whoever puts the daemon together, once all that a run needs is there."""
    previews: Previews
    explanations: Explanations


def build(
    *,
    folder: Path,
    limits: RunLimits,
    audit: Audit,
    connectors: ConnectorService,
    approvals: Approvals,
    rules: Rules,
    sessions: Sessions,
    clock: Clock,
    ids: IdSource,
    tasks: TaskSet,
    faults: FaultPoints,
) -> Actions:
    """Join the one path to what it stands on."""
    catalog = ActionCatalog(folder=folder)
    executor = Executor(
        preparation=Preparation(catalog=catalog, connectors=connectors, sessions=sessions, budget=audit.budget),
        connectors=connectors,
        approvals=approvals,
        rules=rules,
        journal=ExecutionJournal(audit=audit.log, repeats=audit.repeats, approvals=approvals, clock=clock, ids=ids),
        sessions=sessions,
        clock=clock,
        ids=ids,
        tasks=tasks,
        admission=Admission(most=limits.most, queued=limits.queued, wait_seconds=limits.wait_seconds),
        faults=faults,
    )
    return Actions(
        catalog=catalog,
        executor=executor,
        dispatcher=Dispatcher(executor=executor, approvals=approvals, tasks=tasks),
        previews=Previews(catalog=catalog, connectors=connectors, audit=audit.log),
        explanations=Explanations(catalog=catalog, connectors=connectors),
    )

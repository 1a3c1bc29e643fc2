"""Puts the room together: approvals, the rules for runs nobody watches, and what follows the end of a session."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.approvals.feed import ApprovalFeed
from daemon.approvals.following import SessionFollower
from daemon.approvals.rules import Rule, Rules
from daemon.approvals.service import Approvals
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, IdSource
from daemon.base.faults import FaultPoints
from daemon.core.tools import ToolId
from daemon.db.reader import Reader
from daemon.sessions.service import Sessions


@dataclass(frozen=True, slots=True)
class Decisions:
    """What this room offers."""

    approvals: Approvals
    rules: Rules
    follower: SessionFollower


def build(
    *,
    rules: Mapping[ToolId, Rule],
    sessions: Sessions,
    audit: AuditLog,
    reader: Reader,
    clock: Clock,
    ids: IdSource,
    faults: FaultPoints,
) -> Decisions:
    """Join approvals to the log, and the follower to sessions before these are loaded: loading ends some of them."""
    approvals = Approvals(audit=audit, reader=reader, clock=clock, ids=ids, feed=ApprovalFeed(), faults=faults)
    follower = SessionFollower(approvals=approvals)
    sessions.on_end(follower.session_ended)
    return Decisions(approvals, Rules(rules), follower)

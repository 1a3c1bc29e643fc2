"""One request for a person's decision, bound to the exact call it is about."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.approvals.machine import ApprovalState
from daemon.base.clock import rfc3339
from daemon.core.principal import Principal
from daemon.core.subject import Subject
from daemon.core.tools import ToolId


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """What an asker wants to run, before anyone was asked."""

    session: str
    actor: Principal
    subject: Subject
    arguments: Mapping[str, Any]
    digest: str
    expires_seconds: float
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What the event of the request says of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A stored request and what became of it."""

    id: str
    session: str
    actor: Principal
    subject: Subject
    names_accounts: bool
    """Whether it is bound to the accounts the call acts as; records of early versions are not."""
    arguments: Mapping[str, Any]
    digest: str
    state: ApprovalState
    created_ms: int
    expires_ms: int
    decided_ms: int | None
    decided_by: Principal | None
    decision_reason: str | None
    execution: str | None
    started_ms: int | None
    finished_ms: int | None
    outcome: Mapping[str, Any] | None
    request_audit_id: str

    @classmethod
    def from_row(cls, row: Any) -> "Approval":
        """Read a record back from its row."""
        subject = json.loads(row.subject)
        return cls(
            id=row.id,
            session=row.session,
            actor=Principal.recorded(row.actor, means=row.asked_with, session=row.session),
            subject=Subject.from_json(subject),
            names_accounts=subject["accounts"] is not None,
            arguments=json.loads(row.arguments),
            digest=row.digest,
            state=ApprovalState(row.state),
            created_ms=row.created_ms,
            expires_ms=row.expires_ms,
            decided_ms=row.decided_ms,
            decided_by=None
            if row.decided_by is None
            else Principal.recorded(row.decided_by, means=row.decided_with, session=row.session),
            decision_reason=row.decision_reason,
            execution=row.execution,
            started_ms=row.started_ms,
            finished_ms=row.finished_ms,
            outcome=None if row.outcome is None else json.loads(row.outcome),
            request_audit_id=row.request_audit_id,
        )

    @property
    def tool(self) -> ToolId:
        """Return which tool it is about."""
        return ToolId(self.subject.kind, self.subject.name)

    @property
    def action(self) -> str:
        """Return the name of the tool, whatever its kind."""
        return self.subject.name

    @property
    def action_version(self) -> str:
        """Return the version of the tool."""
        return self.subject.version

    @property
    def action_hash(self) -> str:
        """Return the hash of the tool's own definition."""
        return self.subject.definition

    @property
    def connector_hashes(self) -> tuple[str, ...]:
        """Return the hashes of what the tool depends on."""
        return self.subject.hashes

    @property
    def withdrawn(self) -> bool:
        """Say whether a person took back an approval that had been given."""
        return self.state is ApprovalState.DENIED and self.outcome is not None

    def as_json(self) -> dict[str, Any]:
        """Return the record as the control API shows it."""
        return {
            "id": self.id,
            "state": self.state.value,
            "action": self.action,
            "action_version": self.action_version,
            "action_hash": self.action_hash,
            "connectors": list(self.connector_hashes),
            "accounts": [account.as_json() for account in self.subject.accounts] if self.names_accounts else None,
            "kind": self.subject.kind,
            "subject": self.subject.as_json(),
            "session": self.session,
            "actor": str(self.actor),
            "asked_with": self.actor.means.value,
            "arguments": dict(self.arguments),
            "digest": self.digest,
            "created_at": rfc3339(self.created_ms),
            "expires_at": rfc3339(self.expires_ms),
            "decided_at": _moment(self.decided_ms),
            "decided_by": None if self.decided_by is None else str(self.decided_by),
            "decided_with": None if self.decided_by is None else self.decided_by.means.value,
            "decision_reason": self.decision_reason,
            "withdrawn": self.withdrawn,
            "execution": self.execution,
            "started_at": _moment(self.started_ms),
            "finished_at": _moment(self.finished_ms),
            "outcome": None if self.outcome is None else dict(self.outcome),
            "request_audit_id": self.request_audit_id,
        }


def _moment(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else rfc3339(unix_ms)

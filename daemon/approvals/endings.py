"""What an approval that never ran means to the one who asked: the failure, and the form in which it is kept."""

import json

from daemon.approvals.machine import ApprovalState
from daemon.approvals.record import Approval
from daemon.core.failures import Boundary, Failure, FailureClass

_CLASSES = {
    ApprovalState.DENIED: FailureClass.APPROVAL_DENIED,
    ApprovalState.EXPIRED: FailureClass.APPROVAL_EXPIRED,
    ApprovalState.VOID: FailureClass.APPROVAL_VOID,
}


def closing_failure(approval: Approval) -> Failure:
    """Return the failure that an approval which never ran means to the one who asked."""
    if approval.outcome is not None and "error" in approval.outcome:
        return Failure.from_envelope(approval.outcome)
    reason = f": {approval.decision_reason}" if approval.decision_reason else "."
    return _failure(approval, approval.state, f"A person denied {approval.action}{reason}")


def taken_away(approval: Approval, state: ApprovalState, reason: str) -> str:
    """Return the outcome of an approval that time or a changed world has ended."""
    message = f"{approval.action} was not run. {reason}"
    return _kept(_failure(approval, state, message))


def withdrawal(approval: Approval, reason: str | None) -> str:
    """Return the outcome of an approval that a person gave and took back before the run had started."""
    message = f"A person approved {approval.action} and withdrew the approval before it started. Nothing was run."
    said = f"{message} They said: {reason}" if reason else message
    return _kept(_failure(approval, ApprovalState.DENIED, said))


def _failure(approval: Approval, state: ApprovalState, message: str) -> Failure:
    return Failure(_CLASSES[state], message, boundary=Boundary.USER, audit_id=approval.request_audit_id)


def _kept(failure: Failure) -> str:
    return json.dumps(failure.envelope())

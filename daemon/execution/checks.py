"""The checks before a run: may the session ask at all, what would run, and is it still what a person approved."""

from daemon.approvals.record import Approval
from daemon.audit.budget import LogBudget
from daemon.core.canonical import CanonicalError
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.subject import is_bound_to
from daemon.execution.requests import CheckedRun, RunRequest
from daemon.execution.seam import PreparedCall
from daemon.execution.toolbox import Toolbox
from daemon.sessions.service import Sessions

_LONGEST_REASON = 200
_ACCOUNT_IS_GONE = frozenset({FailureClass.BINDING_REQUIRED, FailureClass.BINDING_FAILED})


class Checks:
    """Checks a request against the world as it is now: once for a run, and anew only if it had to wait."""

    def __init__(self, *, tools: Toolbox, sessions: Sessions, budget: LogBudget) -> None:
        self._tools = tools
        self._sessions = sessions
        self._budget = budget

    def meant(self, request: RunRequest) -> RunRequest:
        """Return the request for the call that is meant; everything after this is about that one."""
        meant = self._tools.meant(request.call)
        return request if meant is request.call else request._replace(call=meant)

    async def check(self, request: RunRequest) -> CheckedRun:
        """Return a run that may start as far as its tool is concerned; raise the Failure that says why it may not."""
        self._budget.admit(request.call.session)
        if not self._sessions.is_open(request.call.session):
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                "The session that asks has ended; start a new one.",
                boundary=Boundary.USER,
            )
        prepared = await self._tools.prepare(request.call)
        if prepared.blocked is not None:
            raise _as_approved(request.approval, prepared.blocked)
        return CheckedRun(request=request, prepared=prepared)

    async def check_anew(self, checked: CheckedRun) -> None:
        """Refuse a run that waited for its turn, if it is not what was checked before; what changed says so."""
        again = (await self.check(checked.request)).prepared
        before = checked.prepared
        if again.subject == before.subject and again.arguments == before.arguments:
            return
        approved = checked.request.approval is not None
        raise Failure(
            FailureClass.APPROVAL_VOID if approved else FailureClass.HASH_MISMATCH,
            f"What {checked.name} would do changed while the call waited for its turn, so it was not run. Ask again.",
            boundary=Boundary.USER if approved else Boundary.ACTION,
            retriable=not approved,
        )


def check_approved(checked: CheckedRun) -> None:
    """Refuse what is not exactly the call that was approved."""
    approval, prepared = checked.request.approval, checked.prepared
    if approval is not None and not is_bound_to(approval.digest, checked.session, prepared.subject, prepared.arguments):
        raise _void(f"Since the approval, {_what(approval, checked)}")


def check_accounts(checked: CheckedRun) -> None:
    """Refuse an approved run whose accounts are no longer those that were approved; done right before it starts."""
    approval = checked.request.approval
    if approval is None:
        return
    try:
        now = checked.prepared.accounts()
    except Failure as failure:
        raise _as_approved(approval, failure) from failure
    if now != checked.prepared.subject.accounts:
        raise _void(f"Since the approval, the account has changed. {checked.prepared.subject.account_changes(now)}")


def unwritable(checked: CheckedRun, problem: CanonicalError) -> Failure:
    """Return the failure of a call whose arguments cannot stand in the log or in an approval."""
    why = problem.__cause__ if isinstance(problem.__cause__, CanonicalError) else problem
    return Failure(
        FailureClass.INVALID_ARGUMENTS,
        f"The arguments of {checked.name} cannot be written down, so it was not run. {str(why)[:_LONGEST_REASON]}",
        boundary=Boundary.USER,
    )


def changed_since(approval: Approval, prepared: PreparedCall) -> str | None:
    """Say in a few words which definition is not the one that an approval was asked for; None if none of them."""
    before, now = approval.subject, prepared.subject
    if (before.kind, before.name) != (now.kind, now.name):
        return "it is another tool"
    if before.definition != now.definition:
        return f"{prepared.defined_by} has changed"
    if before.hashes != now.hashes:
        old = {each.hash for each in before.depends_on}
        other = next((each.name for each in now.depends_on if each.hash not in old), "something it depends on")
        return f"{other} has changed"
    return None


def _as_approved(approval: Approval | None, failure: Failure) -> Failure:
    """Return what a missing account means: to an approved call, that it would run as another one, or as none."""
    if approval is None or failure.failure_class not in _ACCOUNT_IS_GONE:
        return failure
    name = failure.details.get("connector")
    before = next((str(account) for account in approval.subject.accounts if account.connector == name), "none")
    return _void(
        f"Since the approval, the account has changed. {name} was to act as {before}; now: {failure.message}"
    ).with_details({"connector": name})


def _what(approval: Approval, checked: CheckedRun) -> str:
    subject = checked.prepared.subject
    if approval.session != checked.session:
        return "another session asked."
    changed = changed_since(approval, checked.prepared)
    if changed is not None:
        return f"{changed}."
    if approval.subject.accounts != subject.accounts:
        return f"the account has changed. {approval.subject.account_changes(subject.accounts)}"
    return "the arguments have changed."


def _void(message: str) -> Failure:
    return Failure(FailureClass.APPROVAL_VOID, message, boundary=Boundary.USER)

"""Checks a request against the world as it is now; done for every request and again before an approved one runs."""

from collections.abc import Mapping
from dataclasses import replace

from daemon.approvals.record import Approval
from daemon.audit.budget import LogBudget
from daemon.connectors.service import ConnectorService
from daemon.core.account import Account
from daemon.core.capabilities import check_action_capability, check_op, validate_against_manifest
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Manifest
from daemon.core.op_inputs import outline_inputs
from daemon.core.schema import validate_arguments
from daemon.sessions.service import Sessions
from daemon.tools.actions.catalog import ActionCatalog
from daemon.tools.actions.requests import PreparedRun, RunRequest

_ACCOUNT_IS_GONE = frozenset({FailureClass.BINDING_REQUIRED, FailureClass.BINDING_FAILED})


class Preparation:
    """Authorises, loads, and checks hashes, capabilities and arguments, in that order."""

    def __init__(
        self, *, catalog: ActionCatalog, connectors: ConnectorService, sessions: Sessions, budget: LogBudget
    ) -> None:
        self._catalog = catalog
        self._connectors = connectors
        self._sessions = sessions
        self._budget = budget

    async def prepare(self, request: RunRequest) -> PreparedRun:
        """Return a run that may start, or the failure that says why it may not."""
        self._budget.admit(request.session)
        if not self._sessions.is_open(request.session):
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                "The session that asks has ended; start a new one.",
                boundary=Boundary.USER,
            )
        entry, action = self._catalog.runnable(request.action)
        arguments = validate_arguments(action.inputs, request.arguments)
        manifests: dict[str, Manifest] = {}
        for requirement in action.requires:
            manifests[str(requirement.name)] = await self._connectors.check(requirement)
        for step in action.steps:
            manifest = manifests[str(step.connector)]
            check_op(manifest, step.op)
            check_action_capability(action, step, manifest)
        for manifest in manifests.values():
            problems = validate_against_manifest(action, manifest)
            if problems:
                raise Failure(
                    FailureClass.INVALID_ARGUMENTS,
                    f"The action {action.name!r} does not fit its connector {manifest.name}: {' '.join(problems)}",
                    boundary=Boundary.ACTION,
                    details={"problems": problems},
                )
        for step in action.steps:
            # An argument that cannot stand in its place is refused now, not after the steps before it have run.
            outline_inputs(manifests[str(step.connector)].ops[step.op], step.inputs, arguments)
        return PreparedRun(
            request=request,
            action=action,
            action_hash=entry.hash,
            manifests=manifests,
            accounts=self._accounts(request, manifests),
            arguments=arguments,
        )

    def check_accounts(self, prepared: PreparedRun) -> None:
        """Refuse an approved run whose accounts are no longer those that were approved; done right before it starts."""
        approval = prepared.request.approval
        if approval is None:
            return
        now = replace(prepared, accounts=self._accounts(prepared.request, prepared.manifests))
        if now.accounts != prepared.accounts:
            raise Failure(
                FailureClass.APPROVAL_VOID,
                f"What was approved for {approval.action} is no longer what would run: the account has changed."
                f" {now.account_change(approval)}",
                boundary=Boundary.USER,
            )

    def _accounts(self, request: RunRequest, manifests: Mapping[str, Manifest]) -> dict[str, Account]:
        """Return the accounts the connectors act as; a missing one or a locked vault is said before anything starts."""
        accounts: dict[str, Account] = {}
        for name, manifest in manifests.items():
            try:
                account = self._connectors.account(manifest)
            except Failure as failure:
                if request.approval is None or failure.failure_class not in _ACCOUNT_IS_GONE:
                    raise
                raise _account_changed(request.approval, name, failure) from failure
            if account is not None:
                accounts[name] = account
        return accounts


def _account_changed(approval: Approval, connector: str, failure: Failure) -> Failure:
    """Say that what was approved cannot run again: another binding, or the same one set up anew, is another account."""
    before = next((str(account) for account in approval.accounts or () if account.connector == connector), "none")
    return Failure(
        FailureClass.APPROVAL_VOID,
        f"What was approved for {approval.action} is no longer what would run: the account has changed. {connector} was"
        f" to act as {before}; now: {failure.message}",
        boundary=Boundary.USER,
        details={"connector": connector},
    )

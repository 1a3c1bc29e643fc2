"""What goes into the one path and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.approvals.record import Approval
from daemon.core.account import Account
from daemon.core.action import Action
from daemon.core.digests import approval_digest
from daemon.core.failures import Failure, FailureClass
from daemon.core.manifest import Manifest
from daemon.core.op_inputs import render_inputs
from daemon.core.principal import Principal

_PASSES = frozenset({FailureClass.VAULT_LOCKED, FailureClass.AUDIT_UNAVAILABLE, FailureClass.RESOURCE_LIMIT_EXCEEDED})
"""What can pass without the approved call having changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """Somebody wants an action to run; with an approval, a person has said yes to exactly this."""

    session: str
    actor: Principal
    action: str
    arguments: Mapping[str, Any]
    approval: Approval | None = None

    def waits_for(self, failure: Failure) -> bool:
        """Say whether an approved call waits until a failure passes, and is not refused.

        The approval stays good until it expires. It is the dispatcher that writes down, once, what the call waits for.
        """
        return self.approval is not None and failure.failure_class in _PASSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The action ran to its end."""

    audit_id: str
    execution: str
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The action waits for a person."""

    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A request after everything that can be checked without touching the world has been checked."""

    request: RunRequest
    action: Action
    action_hash: str
    manifests: Mapping[str, Manifest]
    accounts: Mapping[str, Account]
    """By connector, in the order the action names them; connectors that take no credential have none."""
    arguments: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Return what an approval of exactly this call is bound to; a run that needs no approval never asks."""
        return approval_digest(
            session=self.request.session,
            action_hash=self.action_hash,
            connector_hashes=self.connector_hashes,
            accounts=tuple(self.accounts.values()),
            arguments=self.arguments,
        )

    @property
    def connector_hashes(self) -> tuple[str, ...]:
        """Return the hashes of the connectors, in the order the action names them."""
        return tuple(requirement.hash for requirement in self.action.requires)

    def account_change(self, approval: Approval) -> str:
        """Say for each connector whose account is not the one that was approved what it was and what it is."""
        before = {account.connector: account for account in approval.accounts or ()}
        changed = [name for name in {**before, **self.accounts} if before.get(name) != self.accounts.get(name)]
        return " ".join(
            f"{name} was to act as {before.get(name, 'none')} and would now act as {self.accounts.get(name, 'none')}."
            for name in changed
        )

    def step_inputs(self, index: int, results: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a step's connector is called with, once the steps before it have answered."""
        step = self.action.steps[index]
        op = self.manifests[str(step.connector)].ops[step.op]
        return render_inputs(op, step.inputs, self.arguments, results)

    def step_may_repeat(self, index: int) -> bool:
        """Say whether running a step twice does no more than running it once."""
        step = self.action.steps[index]
        return self.manifests[str(step.connector)].ops[step.op].idempotent

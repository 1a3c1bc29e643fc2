"""A call of one action, checked and ready: what it is bound to, and how it runs, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from daemon.base.clock import Clock
from daemon.connectors.call import ConnectorCall
from daemon.connectors.service import ConnectorService
from daemon.core.account import Account
from daemon.core.action import Action, Step
from daemon.core.explanation import Explanation, PreviewShown
from daemon.core.failures import Failure
from daemon.core.manifest import Manifest
from daemon.core.op_inputs import render_inputs
from daemon.core.outcome import Outcome, StageRecord
from daemon.core.subject import Subject
from daemon.core.tools import ApprovalPolicy, Stage
from daemon.core.vocabulary import Attr
from daemon.execution.seam import PreviewContext, RunContext
from daemon.tools.actions.explaining import step_shown
from daemon.tools.actions.previewing import preview_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedAction:
    """An action after everything that can be checked without touching the world has been checked."""

    clock: Clock
    connectors: ConnectorService
    action: Action
    manifests: Mapping[str, Manifest]
    subject: Subject
    arguments: Mapping[str, Any]
    blocked: Failure | None
    """Why there is no account for one of its connectors just now."""

    defined_by = "the action file"
    arguments_key = Attr.ACTION_ARGUMENTS

    @property
    def approval(self) -> ApprovalPolicy:
        """Return what the file asks for."""
        return self.action.approval

    @property
    def first_stage(self) -> Stage:
        """Return the first step."""
        return self._stage(self.action.steps[0])

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Return what events of actions have always said."""
        return {
            Attr.ACTION_VERSION: self.subject.version,
            Attr.ACTION_HASH: self.subject.definition,
            Attr.CONNECTOR_HASHES: list(self.subject.hashes),
            Attr.CONNECTOR_ACCOUNTS: [account.as_json() for account in self.subject.accounts],
        }

    def accounts(self) -> tuple[Account, ...]:
        """Return the accounts that its connectors would act as now."""
        found = (self.connectors.account(manifest) for manifest in self.manifests.values())
        return tuple(account for account in found if account is not None)

    async def explain(self) -> Explanation:
        """Return every step, with its inputs as they would be sent."""
        steps = tuple(step_shown(self.action, step, self.manifests, self.arguments) for step in self.action.steps)
        return Explanation(complete=True, description=self.action.description, steps=steps)

    async def preview(self, context: PreviewContext) -> PreviewShown:
        """Ask the last step's connector with the idempotent operation that the file names for it."""
        preview = self.action.approval.preview
        if preview is None:
            return PreviewShown(available=False, message="This action has no preview.")
        requirement = self.action.requirement_for(self.action.steps[-1].connector)
        manifest = self.manifests[str(requirement.name)]
        return await preview_of(
            preview,
            context,
            connectors=self.connectors,
            requirement=requirement,
            manifest=manifest,
            arguments=self.arguments,
        )

    async def run(self, context: RunContext) -> Outcome:
        """Run the steps in order; the first failure ends the action."""
        results: dict[str, Any] = {}
        records: list[StageRecord] = []
        value: Any = None
        try:
            for step in self.action.steps:
                value = results[step.id] = await self._run_step(step, context, records, results)
        except Failure as failure:
            return Outcome(stages=tuple(records), failure=failure)
        return Outcome(stages=tuple(records), result=value)

    async def _run_step(
        self, step: Step, context: RunContext, records: list[StageRecord], results: Mapping[str, Any]
    ) -> Any:
        stage = self._stage(step)
        turn = context.enter(stage)
        call = context.call
        record = partial(StageRecord, id=step.id, op=step.op)
        began = self.clock.monotonic()
        try:
            outcome = await self.connectors.call(
                ConnectorCall(
                    requirement=self.action.requirement_for(step.connector),
                    op=step.op,
                    arguments=self._inputs(step, results),
                    seconds=step.timeout_seconds,
                    execution=context.execution,
                    session=call.session,
                    actor=call.principal,
                    action=self.action.name,
                    account=self._account(self.subject.accounts, step),
                    before_send=partial(context.before_effect, stage),
                    turn=turn,
                )
            )
        except Failure as failure:
            records.append(record(succeeded=False, ms=self._since(began), attempts=failure.attempts))
            raise failure.with_details({"step": step.id, **failure.details}) from failure.__cause__
        except BaseException:
            records.append(record(succeeded=False, ms=self._since(began)))
            raise
        records.append(
            record(succeeded=True, ms=self._since(began), attempts=outcome.attempts, binding=outcome.binding)
        )
        return outcome.value

    def _since(self, began: float) -> int:
        return round((self.clock.monotonic() - began) * 1000)

    def _inputs(self, step: Step, results: Mapping[str, Any]) -> dict[str, Any]:
        op = self.manifests[str(step.connector)].ops[step.op]
        return render_inputs(op, step.inputs, self.arguments, results)

    def _stage(self, step: Step) -> Stage:
        connector = str(step.connector)
        op = self.manifests[connector].ops[step.op]
        return Stage(name=step.id, op=step.op, target=connector, may_repeat=op.idempotent)

    @staticmethod
    def _account(accounts: Sequence[Account], step: Step) -> Account | None:
        return next((account for account in accounts if account.connector == str(step.connector)), None)

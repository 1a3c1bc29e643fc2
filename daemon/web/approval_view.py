"""What the page of one approval shows, made ready for its template: in the order in which a person decides."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.approvals.record import Approval
from daemon.core.explanation import Explanation, PreviewShown, StepShown
from daemon.web.blocks import Block, block


@dataclass(frozen=True, slots=True)
class StepView:
    """One step: what is fixed of it, the account it acts as, and its inputs."""

    step: StepShown
    account: str | None
    inputs: tuple[tuple[str, Block], ...]


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """Everything that is shown of one request."""

    explanation: Explanation
    description: Block
    steps: tuple[StepView, ...]
    arguments: tuple[tuple[str, Block], ...]
    preview: tuple[tuple[str, Block], ...]
    left_out: int

    @property
    def approvable(self) -> bool:
        """Say whether all of it is on the page; only then may it be approved there."""
        return self.explanation.complete and self.left_out == 0


def approval_view(approval: Approval, explanation: Explanation, preview: PreviewShown, *, whole: bool) -> ApprovalView:
    """Make the view of a request: with everything in it if `whole`, else with long texts folded."""
    accounts: Sequence[Mapping[str, Any]] = approval.as_json().get("accounts") or ()
    description = block((explanation.description,), whole=whole)
    steps = tuple(
        StepView(
            step,
            account=_account(step.connector, accounts),
            inputs=tuple((given.name, block(given.parts, whole=whole)) for given in step.inputs),
        )
        for step in explanation.steps
    )
    arguments = tuple((name, block((_text(value),), whole=whole)) for name, value in approval.arguments.items())
    said = tuple((field.label, block((field.value,), whole=whole)) for field in preview.fields)
    inputs = [shown for step in steps for _, shown in step.inputs]
    blocks = [description, *inputs, *(shown for _, shown in arguments), *(shown for _, shown in said)]
    return ApprovalView(
        explanation=explanation,
        description=description,
        steps=steps,
        arguments=arguments,
        preview=said,
        left_out=sum(shown.left_out for shown in blocks),
    )


def _account(connector: str, accounts: Sequence[Mapping[str, Any]]) -> str | None:
    for account in accounts:
        if account["connector"] == connector:
            return f"{account['name']} ({account['kind']}, version {account['version']})"
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)

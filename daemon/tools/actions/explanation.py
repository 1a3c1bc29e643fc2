"""Explains to the person who decides what a call would do: every step, with its inputs as they would be sent.

All of it is worked out from what the approval is bound to: the action file and the connectors with exactly these
hashes, and the stored arguments. Where one of them has changed, nothing is explained, because nothing of it would run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.approvals.machine import OPEN_STATES
from daemon.approvals.record import Approval
from daemon.connectors.service import ConnectorService
from daemon.core.action import Action, Step
from daemon.core.capabilities import check_op
from daemon.core.failures import Failure
from daemon.core.manifest import Manifest
from daemon.core.op_inputs import outline_inputs
from daemon.core.outline import written_out
from daemon.core.references import Parts
from daemon.tools.actions.catalog import ActionCatalog, InstalledAction


@dataclass(frozen=True, slots=True, kw_only=True)
class InputShown:
    """One input of a step: texts, and between them the places that an earlier step's result will fill."""

    name: str
    parts: Parts

    def as_json(self) -> dict[str, Any]:
        """Return the input as the control API shows it."""
        return {
            "name": self.name,
            "parts": [
                {"text": part} if isinstance(part, str) else {"step": part.root, "path": ".".join(part.path)}
                for part in self.parts
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """One step: which operation of which connector, where it may reach, and with what."""

    id: str
    connector: str
    version: str
    hash: str
    op: str
    op_description: str
    capability: str
    may_repeat: bool
    hosts: tuple[str, ...]
    inputs: tuple[InputShown, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the step as the control API shows it."""
        return {
            "id": self.id,
            "connector": {"name": self.connector, "version": self.version, "hash": self.hash},
            "op": self.op,
            "op_description": self.op_description,
            "capability": self.capability,
            "may_repeat": self.may_repeat,
            "hosts": list(self.hosts),
            "inputs": [given.as_json() for given in self.inputs],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a call would do, whole, or the reason why that cannot be said; then it must not be approved."""

    complete: bool
    message: str = ""
    description: str = ""
    steps: tuple[StepShown, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as the control API shows it."""
        return {
            "complete": self.complete,
            "message": self.message,
            "description": self.description,
            "steps": [step.as_json() for step in self.steps],
        }


class Explanations:
    """Explains approvals; touches nothing but the files of actions and connectors."""

    def __init__(self, *, catalog: ActionCatalog, connectors: ConnectorService) -> None:
        self._catalog = catalog
        self._connectors = connectors

    async def explain(self, approval: Approval) -> Explanation:
        """Return what would run if this approval were spent now."""
        entry = self._catalog.find(approval.action)
        problem = _changed(entry, approval)
        if problem is not None or entry is None or entry.action is None:
            return Explanation(complete=False, message=_unexplained(approval, problem or "it cannot be read"))
        manifests: dict[str, Manifest] = {}
        try:
            for requirement in entry.action.requires:
                manifests[str(requirement.name)] = await self._connectors.check(requirement)
            steps = tuple(_step(entry.action, step, manifests, approval.arguments) for step in entry.action.steps)
        except Failure as failure:
            return Explanation(complete=False, message=_unexplained(approval, failure.message))
        return Explanation(complete=True, description=entry.action.description, steps=steps)


def _changed(entry: InstalledAction | None, approval: Approval) -> str | None:
    if entry is None:
        return "the action is not installed any more"
    if entry.hash != approval.action_hash:
        return "the action file has changed since"
    if entry.action is None:
        return f"the action file breaks a rule: {entry.problem}"
    if not entry.enabled:
        return "the action is disabled"
    if tuple(requirement.hash for requirement in entry.action.requires) != approval.connector_hashes:
        return "its connectors are not those that the action file names"
    return None


def _unexplained(approval: Approval, problem: str) -> str:
    problem = problem.rstrip(".")
    if approval.state in OPEN_STATES:
        return (
            f"What would run cannot be shown: {problem}. So the request is void: nothing would run if it were "
            "approved. The asker has to ask again."
        )
    return f"What this was about can no longer be shown in full: {problem}. The audit log has what was done."


def _step(action: Action, step: Step, manifests: Mapping[str, Manifest], arguments: Mapping[str, Any]) -> StepShown:
    manifest = manifests[str(step.connector)]
    op = check_op(manifest, step.op)
    return StepShown(
        id=step.id,
        connector=str(step.connector),
        version=str(manifest.version),
        hash=action.requirement_for(step.connector).hash,
        op=op.name,
        op_description=op.description,
        capability=op.capability,
        may_repeat=op.idempotent,
        hosts=tuple(map(str, manifest.hosts)),
        inputs=tuple(
            InputShown(name=name, parts=written_out(value))
            for name, value in outline_inputs(op, step.inputs, arguments).items()
        ),
    )

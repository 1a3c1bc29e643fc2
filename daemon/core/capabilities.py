"""Capabilities: what an action may use of a connector, checked against what the connector declares."""

from collections.abc import Mapping
from difflib import get_close_matches

from daemon.core.action import Action, Preview, Step
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Manifest, Op
from daemon.core.op_inputs import problem_with
from daemon.core.templates import Template


def check_op(manifest: Manifest, op: str) -> Op:
    """Return the operation of that name; a Failure says when the connector has none."""
    found = manifest.ops.get(op)
    if found is None:
        raise Failure(
            FailureClass.CAPABILITY_DENIED,
            f"The connector {manifest.name} {manifest.version} has no operation {op!r}.{_nearest(op, manifest)}",
            boundary=Boundary.CONNECTOR_MANIFEST,
            details={"connector": str(manifest.name), "op": op, "ops": sorted(manifest.ops)},
        )
    return found


def check_action_capability(action: Action, step: Step, manifest: Manifest) -> None:
    """Refuse a step whose operation needs a capability that the action does not declare."""
    op = check_op(manifest, step.op)
    declared = action.requirement_for(step.connector).capabilities
    if op.capability not in declared:
        raise Failure(
            FailureClass.CAPABILITY_DENIED,
            f"The step {step.id!r} of {action.name} uses {step.op!r} of {step.connector}, which needs the capability "
            f"{op.capability!r}; the action declares {_listed(declared)}. Add it to the connector's `capabilities` "
            "in the action file if the action should have it.",
            boundary=Boundary.ACTION,
            details={
                "connector": str(step.connector),
                "op": step.op,
                "capability": op.capability,
                "declared": list(declared),
            },
        )


def validate_against_manifest(action: Action, manifest: Manifest) -> list[str]:
    """List everything in an action that does not fit one of its connectors; an empty list means it fits."""
    requirement = next((given for given in action.requires if given.name == manifest.name), None)
    if requirement is None:
        return [f"The action does not require the connector {manifest.name}."]
    problems: list[str] = []
    if requirement.version != manifest.version:
        problems.append(f"The action requires {manifest.name} {requirement.version}; this one is {manifest.version}.")
    for step in action.steps:
        if step.connector == manifest.name:
            place = f"The step {step.id!r}"
            problems += _check_call(place, step.op, step.inputs, requirement.capabilities, manifest)
    preview = action.approval.preview
    if preview is not None and action.steps[-1].connector == manifest.name:
        problems += _check_preview(preview, requirement.capabilities, manifest)
    return problems


def _check_preview(preview: Preview, declared: tuple[str, ...], manifest: Manifest) -> list[str]:
    problems = _check_call("The preview", preview.op, preview.args, declared, manifest)
    op = manifest.ops.get(preview.op)
    if op is not None and not op.idempotent:
        problems.append(
            f"The preview uses {preview.op!r}, which is not idempotent; a preview may only look, so name an "
            "idempotent operation."
        )
    return problems


def _check_call(
    place: str, name: str, inputs: Mapping[str, Template], declared: tuple[str, ...], manifest: Manifest
) -> list[str]:
    op = manifest.ops.get(name)
    if op is None:
        return [f"{place} uses {name!r}, which {manifest.name} does not have.{_nearest(name, manifest)}"]
    problems = []
    if op.capability not in declared:
        problems.append(
            f"{place} uses {name!r}, which needs the capability {op.capability!r}; the action declares "
            f"{_listed(declared)}."
        )
    problems += [
        f"{place} gives {name!r} the input {given!r}; it takes {_listed(tuple(op.inputs))}."
        for given in inputs
        if given not in op.inputs
    ]
    problems += [
        f"{place} does not give {name!r} the input {wanted!r}, which it must have."
        for wanted, op_input in op.inputs.items()
        if op_input.required and wanted not in inputs
    ]
    problems += [
        f"{place} gives {name!r} the input {given!r}, which {problem}"
        for given, template in inputs.items()
        if given in op.inputs and (problem := problem_with(given, template, op.inputs[given])) is not None
    ]
    return problems


def _nearest(name: str, manifest: Manifest) -> str:
    close = get_close_matches(name, manifest.ops, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" It has {_listed(sorted(manifest.ops))}."


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, names)) if names else "none"

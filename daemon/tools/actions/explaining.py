"""A step of an action as it is shown to the person who decides."""

from collections.abc import Mapping
from typing import Any

from daemon.core.action import Action, Step
from daemon.core.explanation import InputShown, StepShown
from daemon.core.manifest import Manifest
from daemon.core.op_inputs import outline_inputs
from daemon.core.outline import written_out


def step_shown(
    action: Action, step: Step, manifests: Mapping[str, Manifest], arguments: Mapping[str, Any]
) -> StepShown:
    """Return which operation of which connector a step runs, where that may reach, and with which inputs."""
    manifest = manifests[str(step.connector)]
    op = manifest.ops[step.op]
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

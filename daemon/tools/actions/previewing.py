"""Asks a service, with an operation that may be repeated, what the thing is that an action would act on."""

from collections.abc import Mapping
from typing import Any

from daemon.connectors.call import ConnectorCall
from daemon.connectors.service import ConnectorService
from daemon.core.action import ConnectorRequirement, Preview
from daemon.core.capabilities import check_op
from daemon.core.explanation import PreviewField, PreviewShown
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Manifest
from daemon.core.op_inputs import render_inputs
from daemon.core.tools import Stage
from daemon.execution.seam import PreviewContext

_SECONDS = 10.0
_MAX_VALUE = 20_000


async def preview_of(
    preview: Preview,
    context: PreviewContext,
    *,
    connectors: ConnectorService,
    requirement: ConnectorRequirement,
    manifest: Manifest,
    arguments: Mapping[str, Any],
) -> PreviewShown:
    """Return what the service says, as the account that the request was made with; raise Failure if it does not."""
    name = str(requirement.name)
    op = check_op(manifest, preview.op)
    if not op.idempotent:
        raise Failure(
            FailureClass.CAPABILITY_DENIED,
            f"The preview op {preview.op!r} is not idempotent, so it is not run.",
            boundary=Boundary.CONNECTOR_MANIFEST,
        )
    account = next((account for account in context.accounts if account.connector == name), None)
    if account != connectors.account(manifest):
        raise Failure(
            FailureClass.APPROVAL_VOID,
            f"{name} no longer acts as {account or 'no account'}, which the request was made for.",
            boundary=Boundary.USER,
        )
    inputs = render_inputs(op, preview.args, arguments, {})
    await context.before_look(Stage(name="preview", op=preview.op, target=name, may_repeat=True))
    outcome = await connectors.call(
        ConnectorCall(
            requirement=requirement,
            op=preview.op,
            arguments=inputs,
            seconds=_SECONDS,
            execution=context.approval,
            session=context.call.session,
            actor=context.call.principal,
            action=context.call.tool.name,
            account=account,
            before_send=_nothing_more_to_write,
        )
    )
    return _render(preview, outcome.value)


async def _nothing_more_to_write() -> None:
    """A preview repeats nothing and changes nothing; its event was durable before the call."""


def _render(preview: Preview, value: Any) -> PreviewShown:
    fields = []
    for label, path in preview.render.items():
        found = _dig(value, path)
        text = found if isinstance(found, str) else "(not in the answer)" if found is None else str(found)
        fields.append(PreviewField(label=label, value=text[:_MAX_VALUE], multiline=label in preview.multiline))
    return PreviewShown(available=True, fields=tuple(fields))


def _dig(value: Any, path: str) -> Any:
    for segment in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(segment)
        elif isinstance(value, list) and segment.isdecimal() and int(segment) < len(value):
            value = value[int(segment)]
        else:
            return None
    return value

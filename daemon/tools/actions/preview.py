"""Shows the person, and only the person, what an approval is about, by asking the service with an idempotent op."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.approvals.machine import OPEN_STATES
from daemon.approvals.record import Approval
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.connectors.call import ConnectorCall
from daemon.connectors.service import ConnectorService
from daemon.core.action import Action, Preview
from daemon.core.capabilities import check_op
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.op_inputs import render_inputs
from daemon.core.principal import Principal
from daemon.tools.actions.catalog import ActionCatalog

_SECONDS = 10.0
_MAX_VALUE = 20_000
_KEPT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewField:
    """One line of a preview."""

    label: str
    value: str
    multiline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewShown:
    """What the person sees; a preview that could not be had says why and blocks nothing."""

    available: bool
    fields: tuple[PreviewField, ...]
    message: str

    def as_json(self) -> dict[str, Any]:
        """Return the preview as the control API shows it."""
        fields = [{"label": f.label, "value": f.value, "multiline": f.multiline} for f in self.fields]
        return {"available": self.available, "fields": fields, "message": self.message}


class Previews:
    """Fetches previews, each once for the life of its approval."""

    def __init__(self, *, catalog: ActionCatalog, connectors: ConnectorService, audit: AuditLog) -> None:
        self._catalog = catalog
        self._connectors = connectors
        self._audit = audit
        self._shown: dict[str, PreviewShown] = {}
        self._fetching: dict[str, asyncio.Lock] = {}

    async def show(self, approval: Approval, *, by: Principal) -> PreviewShown:
        """Return the preview of an approval that is still open, as `by` looks at it.

        One whose service is slow holds up no other.
        """
        try:
            async with self._fetching.setdefault(approval.id, asyncio.Lock()):
                return await self._shown_once(approval, by)
        finally:
            self._fetching.pop(approval.id, None)

    async def _shown_once(self, approval: Approval, by: Principal) -> PreviewShown:
        if approval.id in self._shown:
            return self._shown[approval.id]
        shown = await self._fetch(approval, by)
        if shown.available:
            if len(self._shown) >= _KEPT:
                self._shown.pop(next(iter(self._shown)))
            self._shown[approval.id] = shown
        return shown

    async def _fetch(self, approval: Approval, by: Principal) -> PreviewShown:
        if approval.state not in OPEN_STATES:
            return _unavailable("The request is decided; there is nothing to preview.")
        entry = self._catalog.find(approval.action)
        if entry is None or entry.action is None or entry.hash != approval.action_hash:
            return _unavailable("The action file has changed since the request was made.")
        if entry.action.approval.preview is None:
            return _unavailable("This action has no preview.")
        try:
            value = await self._call(entry.action, entry.action.approval.preview, approval, by)
        except Failure as failure:
            return _unavailable(f"The preview could not be fetched: {failure.message}")
        return _render(entry.action.approval.preview, value)

    async def _call(self, action: Action, preview: Preview, approval: Approval, by: Principal) -> Any:
        requirement = action.requirement_for(action.steps[-1].connector)
        manifest = await self._connectors.check(requirement)
        op = check_op(manifest, preview.op)
        if not op.idempotent:
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                f"The preview op {preview.op!r} is not idempotent, so it is not run.",
                boundary=Boundary.CONNECTOR_MANIFEST,
            )
        bound = (account for account in approval.accounts or () if account.connector == str(requirement.name))
        account = next(bound, None)
        if account != self._connectors.account(manifest):
            raise Failure(
                FailureClass.APPROVAL_VOID,
                f"{requirement.name} no longer acts as {account or 'no account'}, which the request was made for.",
                boundary=Boundary.USER,
            )
        arguments = render_inputs(op, preview.args, approval.arguments, {})
        event = AuditEvent(
            type="approval.previewed",
            session=approval.session,
            actor=by,
            action=action.name,
            connector=str(requirement.name),
            payload={"aileron.approval.id": approval.id, "aileron.step.op": preview.op},
        )
        await self._audit.append(event)
        outcome = await self._connectors.call(
            ConnectorCall(
                requirement=requirement,
                op=preview.op,
                arguments=arguments,
                seconds=_SECONDS,
                execution=approval.id,
                session=approval.session,
                actor=by,
                action=action.name,
                account=account,
                before_send=_nothing_more_to_write,
            )
        )
        return outcome.value


async def _nothing_more_to_write() -> None:
    """A preview repeats nothing and changes nothing; its event was durable before the call."""


def _render(preview: Preview, value: Any) -> PreviewShown:
    fields = []
    for label, path in preview.render.items():
        found = _dig(value, path)
        text = found if isinstance(found, str) else "(not in the answer)" if found is None else str(found)
        fields.append(PreviewField(label=label, value=text[:_MAX_VALUE], multiline=label in preview.multiline))
    return PreviewShown(available=True, fields=tuple(fields), message="")


def _dig(value: Any, path: str) -> Any:
    for segment in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(segment)
        elif isinstance(value, list) and segment.isdecimal() and int(segment) < len(value):
            value = value[int(segment)]
        else:
            return None
    return value


def _unavailable(message: str) -> PreviewShown:
    return PreviewShown(available=False, fields=(), message=message)

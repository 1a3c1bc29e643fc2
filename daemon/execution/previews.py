"""Shows the person, and only the person, what the service says of the thing that a call would act on."""

import asyncio
from collections.abc import Sequence

from daemon.approvals.machine import OPEN_STATES
from daemon.approvals.record import Approval
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.account import Account
from daemon.core.explanation import PreviewShown
from daemon.core.failures import Failure
from daemon.core.principal import Principal
from daemon.core.tools import Stage, ToolCall
from daemon.core.vocabulary import Attr, EventType
from daemon.execution.checks import changed_since
from daemon.execution.explanations import call_of
from daemon.execution.toolbox import Toolbox

_KEPT = 256


class Previews:
    """Fetches previews, each once for the life of its approval."""

    def __init__(self, *, tools: Toolbox, audit: AuditLog) -> None:
        self._tools = tools
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
            return PreviewShown(available=False, message="The request is decided; there is nothing to preview.")
        try:
            prepared = await self._tools.prepare(call_of(approval))
            changed = changed_since(approval, prepared)
            if changed is not None:
                return PreviewShown(available=False, message=f"There is no preview: {changed} since.")
            return await prepared.preview(_Looking(approval, self._audit, by))
        except Failure as failure:
            return PreviewShown(available=False, message=f"The preview could not be fetched: {failure.message}")


class _Looking:
    """One look of a person at what an approval is about."""

    def __init__(self, approval: Approval, audit: AuditLog, by: Principal) -> None:
        self._audit = audit
        self.approval = approval.id
        self.call: ToolCall = call_of(approval)._replace(principal=by)
        self.accounts: Sequence[Account] = approval.subject.accounts

    async def before_look(self, look: Stage) -> None:
        """Write down that the service is asked, before it is."""
        event = AuditEvent(
            type=EventType.APPROVAL_PREVIEWED,
            session=self.call.session,
            actor=self.call.principal,
            action=self.call.tool.name,
            connector=look.target,
            payload={Attr.APPROVAL_ID: self.approval, Attr.STEP_OP: look.op},
        )
        await self._audit.append(event)

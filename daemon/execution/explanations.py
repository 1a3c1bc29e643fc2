"""Explains to the person who decides what a call would do, through the tool's own kind.

All of it is worked out from what the approval is bound to: the definitions with exactly these hashes, and the stored
arguments. Where one of them has changed, nothing is explained, because nothing of it would run.
"""

from daemon.approvals.machine import OPEN_STATES
from daemon.approvals.record import Approval
from daemon.core.explanation import Explanation
from daemon.core.failures import Failure
from daemon.core.tools import ToolCall
from daemon.execution.checks import changed_since
from daemon.execution.toolbox import Toolbox


class Explanations:
    """Explains approvals; touches nothing but the definitions of tools."""

    def __init__(self, tools: Toolbox) -> None:
        self._tools = tools

    async def explain(self, approval: Approval) -> Explanation:
        """Return what would run if this approval were spent now."""
        try:
            prepared = await self._tools.prepare(call_of(approval))
            changed = changed_since(approval, prepared)
            if changed is None:
                return await prepared.explain()
            problem = f"{changed} since"
        except Failure as failure:
            problem = failure.message
        return Explanation(complete=False, message=_unexplained(approval, problem))


def call_of(approval: Approval) -> ToolCall:
    """Return the call that an approval is about, as it was asked for."""
    return ToolCall(
        principal=approval.actor, session=approval.session, tool=approval.tool, arguments=approval.arguments
    )


def _unexplained(approval: Approval, problem: str) -> str:
    problem = problem.rstrip(".")
    if approval.state in OPEN_STATES:
        return (
            f"What would run cannot be shown: {problem}. So the request is void: nothing would run if it were "
            "approved. The asker has to ask again."
        )
    return f"What this was about can no longer be shown in full: {problem}. The audit log has what was done."

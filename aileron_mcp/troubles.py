"""What a model is told when the daemon refused, is away, or its answer did not come."""

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from aileron_mcp import texts
from aileron_mcp.asking import lacks
from aileron_mcp.client import AgentApiError, AgentUnreachable, AnswerLost, NotSendable
from aileron_mcp.texts import STATUS_TOOL, Reply


def raise_if_lacking(session: ServerSession, problem: AgentApiError) -> None:
    """Raise the error of the protocol if a server needs of its client what this agent does not offer.

    Only the newer era has this error. If the agent offers it and a rule does not let the server have it, it is none.
    """
    details = (problem.envelope or {}).get("error", {}).get("details") or {}
    if details.get("code") != str(types.MISSING_REQUIRED_CLIENT_CAPABILITY):
        return
    missing = lacks(session, details.get("needed"))
    if missing is not None and session.protocol_version in MODERN_PROTOCOL_VERSIONS:
        data = {"requiredCapabilities": missing}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, str(problem)[:1000], data)


def told(problem: AgentApiError, tool: str, session: str | None) -> Reply:
    """Return the reply to a call that failed; it never says that nothing happened where something may have."""
    match problem:
        case AgentUnreachable():
            return _unreachable(problem, tool, session)
        case AnswerLost():
            return _lost(problem, tool, session)
        case NotSendable():
            return texts.trouble(f"{problem} Nothing was run.", failure_class="invalid_arguments", retriable=False)
        case _:
            return _refused(problem)


def _unreachable(problem: AgentUnreachable, tool: str, session: str | None) -> Reply:
    if tool != STATUS_TOOL:
        return texts.trouble(f"{problem} Nothing was run.", failure_class="network_error", retriable=True)
    # An approved call runs without this server, so its being away says nothing about what became of it.
    message = f"{problem} If it was approved, it may have run. A person can look: {_look(session)}"
    step = f"Call {STATUS_TOOL} again later; do not repeat the call."
    return texts.trouble(message, failure_class="network_error", retriable=True, step=step)


def _lost(problem: AnswerLost, tool: str, session: str | None) -> Reply:
    if tool == STATUS_TOOL:
        step = f"Call {STATUS_TOOL} again."
        return texts.trouble(str(problem), failure_class="network_error", retriable=True, step=step)
    message = f"{problem} Whether {tool} ran is not known. A person can look: {_look(session)}"
    return texts.trouble(message, failure_class="outcome_unknown", retriable=False)


def _look(session: str | None) -> str:
    return "aileron audit list" + (f" --session {session}" if session else "")


def _refused(problem: AgentApiError) -> Reply:
    if problem.envelope is None:
        return texts.trouble(str(problem), failure_class="internal_error", retriable=False)
    over = "Tell the person to start another session with `aileron launch`." if problem.status == _UNAUTHORIZED else ""
    return texts.failure(problem.envelope, step=over)


_UNAUTHORIZED = 401

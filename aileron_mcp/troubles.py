"""What a model is told when the daemon refused, is away, or its answer did not come."""

from aileron_mcp import texts
from aileron_mcp.client import AgentApiError, AgentUnreachable, AnswerLost, NotSendable
from aileron_mcp.texts import STATUS_TOOL, Reply


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

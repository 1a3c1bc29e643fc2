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
    message = (
        f"{problem} What became of the request is not known: it may still wait, and if it was approved it may "
        f"have run. Ask again with {STATUS_TOOL}; do not call the action again. A person can look: {_look(session)}"
    )
    return texts.trouble(message, failure_class="network_error", retriable=True)


def _lost(problem: AnswerLost, tool: str, session: str | None) -> Reply:
    if tool == STATUS_TOOL:
        message = f"{problem} What became of the request is not known; ask again with {STATUS_TOOL}."
        return texts.trouble(message, failure_class="network_error", retriable=True)
    message = (
        f"{problem} Whether {tool} ran is not known. Do not call it again before a person has looked: {_look(session)}"
    )
    return texts.trouble(message, failure_class="outcome_unknown", retriable=False)


def _look(session: str | None) -> str:
    return "aileron audit list" + (f" --session {session}" if session else "")


def _refused(problem: AgentApiError) -> Reply:
    if problem.envelope is None:
        return texts.trouble(str(problem), failure_class="internal_error", retriable=False)
    reply = texts.failure(problem.envelope)
    if problem.status != 401:
        return reply
    help_text = "This session is over. A person can start another one with `aileron launch`."
    return Reply(text=f"{reply.text}\n{help_text}", structured=reply.structured, failed=True)

"""Servers that want the agent's model to write something for them: refused, unless a rule allows it for the server.

What a server puts before the model is an instruction to it, and costs money. So a rule must name it, as
`github__(sampling)`; a rule for all tools of a server says nothing about it.
"""

import hashlib
from collections.abc import Callable

from daemon.approvals.rules import Decision, Rule
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.canonical import CanonicalError, canonical_json
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.tools import ToolId
from daemon.core.vocabulary import Attr, EventType
from daemon.execution.seam import RunContext
from daemon.tools.servers.upstream.seam import Message
from daemon.tools.servers.values import KIND, ServerConfig

METHOD = "sampling/createMessage"
NAME = "(sampling)"
"""Our name of it in rules and records. No tool of a server can have such a name."""

Ruling = Callable[[ToolId], Rule]
"""Returns what the rules say of a tool."""


class Sampling:
    """Decides for which servers it is allowed, and writes down each time that it was wanted."""

    def __init__(self, *, ruling: Ruling, audit: AuditLog) -> None:
        self._ruling = ruling
        self._audit = audit

    def is_allowed(self, server: ServerConfig) -> bool:
        """Say whether a rule allows it for a server."""
        return self._rule(server) is not None

    async def allow(self, server: ServerConfig, context: RunContext, params: Message) -> None:
        """Return when it is written down that the agent's model is asked; raise the Failure of what is not allowed.

        Nothing is handed on if the log cannot be written.
        """
        rule = self._rule(server)
        payload = {
            Attr.EXECUTION_ID: context.execution,
            Attr.SERVER_NAME: server.name,
            Attr.SAMPLING_DIGEST: _digest(params),
        }
        if rule is not None and rule.name is not None:
            payload[Attr.DECISION_RULE] = rule.name
        kind = EventType.SERVER_SAMPLING_REFUSED if rule is None else EventType.SERVER_SAMPLING_ALLOWED
        call = context.call
        await self._audit.append(
            AuditEvent(type=kind, session=call.session, actor=call.principal, action=call.tool.name, payload=payload)
        )
        if rule is None:
            raise refusal(server)

    def _rule(self, server: ServerConfig) -> Rule | None:
        """Return the rule that allows it: one that is about this, and not one about all that the server offers."""
        rule = self._ruling(ToolId(KIND, f"{server.name}/{NAME}"))
        return rule if rule.decision is Decision.ALLOW and rule.name == f"{server.name}__{NAME}" else None


def refusal(server: ServerConfig) -> Failure:
    """Return what a server is told that may not have the agent's model asked."""
    return Failure(
        FailureClass.CAPABILITY_DENIED,
        f"The server {server.name} may not have the agent's model asked. A person can allow it with the rule "
        f'[approvals.rules."{server.name}__{NAME}"] decision = "allow".',
        boundary=Boundary.USER,
        details={"server": server.name},
    )


def _digest(params: Message) -> str:
    try:
        written = canonical_json(params)
    except CanonicalError:
        written = repr(params)
    return f"sha256:{hashlib.sha256(written.encode('utf-8', 'replace')).hexdigest()}"

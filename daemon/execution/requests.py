"""What goes into the one path and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from daemon.approvals.record import Approval
from daemon.core.failures import Failure, FailureClass
from daemon.core.fairness import Rank
from daemon.core.outcome import Content
from daemon.core.subject import call_digest
from daemon.core.tools import ToolCall
from daemon.execution.seam import Asker, PreparedCall
from daemon.questions.question import Question

_PASSES = frozenset({FailureClass.VAULT_LOCKED, FailureClass.AUDIT_UNAVAILABLE, FailureClass.RESOURCE_LIMIT_EXCEEDED})
"""What can pass without the approved call having changed."""


class RunRequest(NamedTuple):
    """A call, and the approval with which a person has said yes to exactly this, if there is one."""

    call: ToolCall
    approval: Approval | None = None
    asker: Asker | None = None
    """Who listens while it runs; None where nobody does."""

    @property
    def rank(self) -> Rank:
        """Say in which order it waits among those of its session: what a person approved goes first."""
        return Rank.NEW if self.approval is None else Rank.APPROVED

    def waits_for(self, failure: Failure) -> bool:
        """Say whether an approved call waits until a failure passes, and is not refused.

        The approval stays good until it expires. It is the dispatcher that writes down, once, what the call waits for.
        """
        return self.approval is not None and failure.failure_class in _PASSES


class CheckedRun(NamedTuple):
    """A request and the prepared call that it became: everything is checked that can be without touching anything."""

    request: RunRequest
    prepared: PreparedCall

    @property
    def session(self) -> str:
        """Return the session that asks."""
        return self.request.call.session

    @property
    def name(self) -> str:
        """Return the tool's name, for messages and records."""
        return self.prepared.subject.name

    @property
    def digest(self) -> str:
        """Return what an approval of exactly this call is bound to; a run that needs no approval never asks."""
        return call_digest(self.session, self.prepared.subject, self.prepared.arguments)


class Finished(NamedTuple):
    """The tool ran to its end."""

    audit_id: str
    execution: str
    result: Any
    content: Content | None = None
    meta: Mapping[str, Any] | None = None
    failed_by_tool: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The call waits for a person."""

    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAsked:
    """The call runs, and its tool has asked the person something. It goes on by itself, and its outcome is kept."""

    execution: str
    question: Question

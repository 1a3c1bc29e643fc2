"""The seam between the one path and the kinds of tools: what a kind offers, and what it is given while it runs."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from daemon.base.once import Once
from daemon.core.account import Account
from daemon.core.explanation import Explanation, PreviewShown
from daemon.core.failures import Failure
from daemon.core.outcome import Outcome
from daemon.core.principal import Principal
from daemon.core.subject import Subject
from daemon.core.tools import ApprovalPolicy, Stage, ToolCall, ToolId, ToolSpec
from daemon.core.turn import Turn


class Talk(Protocol):
    """How a tool reaches people, while it runs. Nothing that comes this way decides anything about the call."""

    @property
    def cancelled(self) -> Once | None:
        """Return what happens when who asked no longer wants the result; what has left is not undone.

        None where nobody listens: then there is no progress to be told, either.
        """
        ...

    def progress(self, params: Mapping[str, Any]) -> None:
        """Hear how far the tool is. Must not block."""
        ...

    @property
    def log_level(self) -> str | None:
        """Return the lowest level of lines for the log that who asked wants to hear; None for no lines at all."""
        ...

    def log(self, params: Mapping[str, Any]) -> None:
        """Hear a line that the tool writes for the log. Must not block."""
        ...

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """Return what would be answered, in the words in which a client of MCP says what it can."""
        ...

    async def answer(self, method: str, params: Mapping[str, Any], name: str = "") -> Mapping[str, Any]:
        """Answer what the tool asks back; raise a Failure to turn it down. `name` is what the tool calls it."""
        ...

    async def answer_for_one_of(
        self, others: "Sequence[Talk]", method: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Have the person answer what belongs to this call or to one of others; it cannot be told to which.

        Raises a Failure to turn it down. All the calls are of one session.
        """
        ...


class Asker(Protocol):
    """Who asked for a call and listens while it runs."""

    @property
    def cancelled(self) -> Once:
        """Return what happens when they no longer want the result."""
        ...

    def progress(self, params: Mapping[str, Any]) -> None:
        """Hear how far the tool is. Must not block."""
        ...

    @property
    def log_level(self) -> str | None:
        """Return the lowest level of lines for the log that they want to hear; None for no lines at all."""
        ...

    def log(self, params: Mapping[str, Any]) -> None:
        """Hear a line that the tool writes for the log. Must not block."""
        ...

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """Return what they can answer, in the words in which a client of MCP says what it can."""
        ...

    async def answer(self, method: str, params: Mapping[str, Any], name: str = "") -> Mapping[str, Any] | None:
        """Answer what the tool asks back; None if they cannot, so that somebody else is asked.

        Raises a Failure to turn it down for everybody. `name` is what the tool calls it.
        """
        ...

    def let_go(self) -> None:
        """Stop listening: the call goes on without them, and hanging up no longer calls it off."""
        ...


class RunContext(Protocol):
    """What a run is told by its tool, and what it tells the tool."""

    @property
    def execution(self) -> str:
        """Return the id of the run."""
        ...

    @property
    def call(self) -> ToolCall:
        """Return what is being run."""
        ...

    @property
    def talk(self) -> Talk | None:
        """Return how the tool reaches who asked; None where nobody listens."""
        ...

    def check_open(self, stage: Stage) -> None:
        """Go on to a stage that computes nothing here; raises what `enter` raises."""
        ...

    def enter(self, stage: Stage) -> Turn:
        """Go on to a stage, and return how its work waits for a place to compute.

        Whoever hands out such places calls `on_start` when the work gets one. Raises the Failure that keeps the stage
        from being run, such as that the session has ended.
        """
        ...

    async def before_effect(self, stage: Stage) -> None:
        """Make durable that a stage may take effect. Nothing of it may leave before this has returned."""
        ...


class PreviewContext(Protocol):
    """What a preview is given: for whom it is, and how it is written down."""

    @property
    def approval(self) -> str:
        """Return the id of the approval that is looked at."""
        ...

    @property
    def call(self) -> ToolCall:
        """Return what the approval is about; the principal is the person who looks."""
        ...

    @property
    def accounts(self) -> Sequence[Account]:
        """Return the accounts that the request was made with; a preview acts as no other."""
        ...

    async def before_look(self, look: Stage) -> None:
        """Write down that the service is asked, before it is."""
        ...


class PreparedCall(Protocol):
    """A call after every check that touches nothing."""

    @property
    def subject(self) -> Subject:
        """Return what would be run, and as whom; an approval is bound to it."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments as they would be used, with defaults filled in."""
        ...

    @property
    def approval(self) -> ApprovalPolicy:
        """Return what the tool itself asks for."""
        ...

    @property
    def defined_by(self) -> str:
        """Return what holds the tool's definition, in words, such as `the action file`."""
        ...

    @property
    def first_stage(self) -> Stage:
        """Return the stage that a run begins with."""
        ...

    @property
    def arguments_key(self) -> str | None:
        """Return the kind's own name for the arguments in events; None for the name that all new kinds use.

        They stand in an event once, because a session's share of the log is counted in bytes.
        """
        ...

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Return what events of this kind's calls say beside what those of every kind say."""
        ...

    @property
    def blocked(self) -> Failure | None:
        """Return why it could not be run just now although it is well-formed, such as that the vault is locked."""
        ...

    def accounts(self) -> tuple[Account, ...]:
        """Return the accounts that it would act as now. Raises the Failure that the run would meet for want of one."""
        ...

    async def explain(self) -> Explanation:
        """Return what would be done, in full, for the person who decides; touches nothing."""
        ...

    async def preview(self, context: PreviewContext) -> PreviewShown:
        """Ask the service, if the tool has a way to, what the thing is that would be acted on."""
        ...

    async def run(self, context: RunContext) -> Outcome:
        """Run it. A failure after the beginning is part of the outcome, with the stages before it."""
        ...


class ToolProvider(Protocol):
    """One kind of tool."""

    @property
    def kind(self) -> str:
        """Return the name of the kind."""
        ...

    async def list(self, who: Principal) -> Sequence[ToolSpec]:
        """Return the tools that somebody may call."""
        ...

    def known(self, name: str) -> ToolId | None:
        """Return the tool that has this name for agents, or had it, although the list does not show it now.

        So a call of one that is withheld or switched off is told why, and not that there is no such tool.
        """
        ...

    def meant(self, call: ToolCall) -> ToolCall:
        """Return the call that this one means: another one if its tool stands in for others, else itself.

        Rules, approvals and the log are about the call that is meant. Raises a Failure if it cannot be told.
        """
        ...

    async def prepare(self, call: ToolCall) -> PreparedCall:
        """Make every check that touches nothing; raise the Failure that says what is wrong."""
        ...

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield each time the list of tools has changed."""
        ...

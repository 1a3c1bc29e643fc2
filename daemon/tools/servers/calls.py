"""A call of one server, checked and ready: what it is bound to, and how it is sent, once.

    lent -> looked at -> still what was checked -> before_effect -> sent -> answered
                                                                      `-> lost: unknown, unless it may be repeated

What certainly did not leave is sent once more, on another connection. Nothing else is ever sent twice.
"""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol

from daemon.base.clock import Clock
from daemon.base.interruption import InterruptedPartError, Interruption
from daemon.core.account import Account
from daemon.core.attempts import AttemptRecord
from daemon.core.explanation import Explanation, InputShown, PreviewShown, StepShown
from daemon.core.failures import Failure
from daemon.core.outcome import Outcome, StageRecord
from daemon.core.outline import written_out
from daemon.core.scrubbing.scrub import Scrubber
from daemon.core.subject import Subject
from daemon.core.tools import ApprovalPolicy, Stage
from daemon.core.vocabulary import Attr
from daemon.execution.seam import PreviewContext, RunContext
from daemon.tools.servers.answering import Answerers, CallAnswers
from daemon.tools.servers.failing import MAY_BE_SENT_AGAIN, failure_of
from daemon.tools.servers.lending import AccountOf, Lender, ScrubberOf
from daemon.tools.servers.log_lines import CallLines
from daemon.tools.servers.looking import Looks
from daemon.tools.servers.outcomes import Outcomes
from daemon.tools.servers.scrubbing import clean_of, cleaned
from daemon.tools.servers.upstream.seam import Asking, Message, ToolExecutor, Trouble, UpstreamError
from daemon.tools.servers.values import Mode, ServerConfig

_ATTRIBUTES = {mode: {Attr.EXECUTION_MODE: mode.value} for mode in Mode}
_REACH_OF_A_LOCAL_SERVER = "whatever you can reach: it runs on this machine, as you"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallServices:
    """What every call is made with."""

    lender: Lender
    looks: Looks
    outcomes: Outcomes
    scrubber_of: ScrubberOf
    account_of: AccountOf
    answerers: Answerers
    clock: Clock


class Request(Protocol):
    """What is asked of a server."""

    @property
    def method(self) -> str:
        """Return the method of the protocol."""
        ...

    @property
    def title(self) -> str:
        """Return what it is, for messages, such as `create_issue`."""
        ...

    @property
    def description(self) -> str:
        """Return what it does, in the words of whoever offers it."""
        ...

    @property
    def may_repeat(self) -> bool:
        """Say whether doing it twice does no more than once, by our own knowledge."""
        ...

    def check_again(self) -> None:
        """Raise the Failure of a request that is no longer what was checked, such as that its tool has changed."""
        ...

    def send(
        self, executor: ToolExecutor, arguments: Mapping[str, Any], asking: Asking
    ) -> Coroutine[Any, Any, Message]:
        """Send it and return the answer."""
        ...

    def outcome(self, answer: Message, outcomes: Outcomes, session: str) -> Outcome:
        """Return what an answer means. Raises UpstreamError for one that is none of the protocol."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked of which server, without the arguments."""

    services: CallServices
    server: ServerConfig
    identity: str
    """The hash of what the server is."""
    request: Request
    subject: Subject
    stage: Stage
    """The one stage that a run has."""


class PreparedServerCall:
    """A call of a server after every check that touches nothing."""

    __slots__ = ("arguments", "attributes", "first_stage", "subject", "target")

    approval: ClassVar[ApprovalPolicy] = ApprovalPolicy()
    defined_by: ClassVar[str] = "the definition that the server gives of the tool"
    arguments_key: ClassVar[None] = None
    blocked: ClassVar[None] = None

    def __init__(self, target: Target, arguments: Mapping[str, Any]) -> None:
        self.target = target
        self.arguments = arguments
        self.subject = target.subject
        self.first_stage = target.stage
        self.attributes: Mapping[str, Any] = _ATTRIBUTES[target.server.mode]
        """Whether the server runs here or elsewhere: the one value in which the two differ."""

    def accounts(self) -> tuple[Account, ...]:
        """Return what the server is given of the vault. Who that is at its service, the service alone knows."""
        account = self.target.services.account_of(self.target.server)
        return () if account is None else (account,)

    async def explain(self) -> Explanation:
        """Return what would be sent to which server, in full."""
        target, server, request = self.target, self.target.server, self.target.request
        local = server.mode is Mode.LOCAL
        step = StepShown(
            id=target.stage.name,
            doer="server",
            reach=_REACH_OF_A_LOCAL_SERVER if local else "no host",
            acts_as="whom the server itself decides; Aileron does not know",
            connector=server.name,
            version=target.subject.version,
            hash=target.identity,
            op=request.title,
            op_description="",
            capability=request.method,
            may_repeat=request.may_repeat,
            hosts=(server.url,) if server.url is not None else (),
            inputs=tuple(InputShown(name=name, parts=written_out(value)) for name, value in self.arguments.items()),
        )
        return Explanation(complete=True, description=request.description, steps=(step,))

    async def preview(self, context: PreviewContext) -> PreviewShown:  # noqa: ARG002 - there is nothing to look at
        """Say that servers offer no way to look beforehand."""
        return PreviewShown(available=False, message="Tools of servers have no preview.")

    def run(self, context: RunContext) -> Coroutine[Any, Any, Outcome]:
        """Send the call, and say what became of it."""
        return _Sending(self.target, self.arguments, context).run()


class _Sending:
    """One run: at most two tries, of which at most one has left."""

    __slots__ = ("_arguments", "_attempts", "_clock", "_context", "_ended", "_sent", "_target")

    def __init__(self, target: Target, arguments: Mapping[str, Any], context: RunContext) -> None:
        self._target = target
        self._arguments = arguments
        self._context = context
        self._clock = target.services.clock
        self._attempts: tuple[AttemptRecord, ...] = ()
        self._ended = 0.0
        """When the last try ended."""
        self._sent = False

    async def run(self) -> Outcome:
        target, context = self._target, self._context
        context.check_open(target.stage)
        began = self._clock.monotonic()
        try:
            try:
                answer = await self._try(began)
            except UpstreamError as trouble:
                if trouble.trouble not in MAY_BE_SENT_AGAIN:
                    raise
                answer = await self._try(self._clock.monotonic())
            outcome = target.request.outcome(answer, target.services.outcomes, context.call.session)
        except UpstreamError as trouble:
            return self._failed(began, self._failure(trouble))
        except Failure as failure:
            return self._failed(began, failure)
        return outcome.with_stages(self._record(began, self._ended, succeeded=not outcome.failed_by_tool))

    async def _try(self, began: float) -> Message:
        target, services, context = self._target, self._target.services, self._context
        self._sent = False
        try:
            async with services.lender.lent(target.server, context.call.session) as executor:
                await services.looks.current(target.server, executor)
                target.request.check_again()
                await context.before_effect(target.stage)
                self._sent = True
                answer = await self._send(executor)
        except UpstreamError as trouble:
            self._note(began, trouble)
            raise
        self._note(began, None)
        scrubber = services.scrubber_of(target.server.name)
        return answer if scrubber is None else clean_of(scrubber, answer)

    async def _send(self, executor: ToolExecutor) -> Message:
        """Send it, and wait for the answer for as long as who asked wants it."""
        context, server, services = self._context, self._target.server, self._target.services
        clean = partial(_clean, services.scrubber_of(server.name))
        answers = CallAnswers(services.answerers, server, context, clean)
        talk, seconds = context.talk, server.call_seconds
        cancelled = None if talk is None else talk.cancelled
        if talk is None or cancelled is None:
            return await self._target.request.send(executor, self._arguments, Asking(seconds, answers=answers))
        lines = None
        if (level := talk.log_level) is not None:
            lines = CallLines(talk, level=level, session=context.call.session, clean=clean, clock=self._clock)
        asking = Asking(seconds, lambda params: talk.progress(clean(params)), answers, lines)
        try:
            with Interruption(when=cancelled):
                return await self._target.request.send(executor, self._arguments, asking)
        except InterruptedPartError as left:
            raise UpstreamError(Trouble.LOST, "who asked for it called it off") from left
        finally:
            if lines is not None:
                lines.close()

    def _failure(self, trouble: UpstreamError) -> Failure:
        target, server = self._target, self._target.server.name
        failure = failure_of(
            trouble,
            server=server,
            what=target.request.title,
            sent=self._sent,
            may_repeat=target.request.may_repeat,
        )
        return cleaned(target.services.scrubber_of(server), failure)

    def _failed(self, began: float, failure: Failure) -> Outcome:
        return Outcome(stages=self._record(began, self._clock.monotonic(), succeeded=False), failure=failure)

    def _note(self, began: float, trouble: UpstreamError | None) -> None:
        self._ended = self._clock.monotonic()
        attempt = AttemptRecord(
            number=len(self._attempts) + 1,
            method=self._target.stage.op,
            host=self._target.server.name,
            path=self._target.subject.name,
            status=None,
            error=None if trouble is None else trouble.trouble.value,
            bytes_sent=self._sent and (trouble is None or trouble.trouble is not Trouble.NOT_REACHED),
            ms=round((self._ended - began) * 1000),
        )
        self._attempts = (*self._attempts, attempt)

    def _record(self, began: float, ended: float, *, succeeded: bool) -> tuple[StageRecord, ...]:
        stage, ms = self._target.stage, round((ended - began) * 1000)
        return (StageRecord(id=stage.name, op=stage.op, succeeded=succeeded, ms=ms, attempts=self._attempts),)


def _clean(scrubber: Scrubber | None, params: Message) -> Message:
    return params if scrubber is None else clean_of(scrubber, params)

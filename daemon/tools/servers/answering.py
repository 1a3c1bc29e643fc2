"""Who answers what a server asks back: the agent of the call, the person, or we ourselves.

`roots/list` is answered here, sampling is handed to the agent if a rule allows it, and people are asked by the agent,
or by us where it cannot.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.execution.seam import RunContext
from daemon.questions.asked import OF_THE_PERSON
from daemon.tools.servers import roots, sampling
from daemon.tools.servers.upstream.messages import METHOD_NOT_FOUND
from daemon.tools.servers.upstream.seam import Answers, Message, Trouble, UpstreamError
from daemon.tools.servers.values import ServerConfig

_ELICITATION = "elicitation"


@dataclass(frozen=True, slots=True)
class Answerers:
    """What is needed to answer."""

    sampling: sampling.Sampling
    workspaces: roots.Workspaces

    def of_connection(self, server: ServerConfig, session: str) -> "ConnectionAnswers":
        """Return what answers outside of any call, on a connection for one session, or for all."""
        return ConnectionAnswers(self, server, session)


class CallAnswers:
    """Answers what a server asks back during one call."""

    __slots__ = ("answerers", "clean", "context", "server")

    def __init__(
        self, answerers: Answerers, server: ServerConfig, context: RunContext, clean: Callable[[Message], Message]
    ) -> None:
        self.answerers = answerers
        self.server = server
        self.context = context
        self.clean = clean

    @property
    def capabilities(self) -> Message:
        """Return what would be answered during this call, and nothing else: a server plans with it."""
        said = self.context.talk.capabilities if self.context.talk is not None else {}
        told: dict[str, Any] = {name: said[name] for name in (_ELICITATION,) if name in said}
        if "sampling" in said and self.answerers.sampling.is_allowed(self.server):
            told["sampling"] = said["sampling"]
        if roots.are_told(self.server):
            told["roots"] = {}
        return told

    async def answer(self, method: str, params: Message, name: str = "") -> Message:
        """Return the answer; turn down what nobody answers, or may answer."""
        try:
            return await self._answered(method, params, name)
        except Failure as failure:
            raise UpstreamError(Trouble.REFUSED, failure.message) from failure

    def together(self, others: Sequence[Answers]) -> Answers | None:
        """Return what answers for one of several calls of one session; None if one of them is another session's."""
        calls = [each for each in others if isinstance(each, CallAnswers)]
        mine = self.context.call.session
        if len(calls) < len(others) or any(each.context.call.session != mine for each in calls):
            return None
        return AnswersOfSeveral(self, tuple(calls))

    async def _answered(self, method: str, params: Message, name: str) -> Mapping[str, Any]:
        if method == roots.METHOD:
            return _roots(self.answerers, self.server, self.context.call.session)
        talk = self.context.talk
        if talk is None:
            raise _nobody(method)
        if method == sampling.METHOD and "sampling" in talk.capabilities:
            await self.answerers.sampling.allow(self.server, self.context, params)
        return await talk.answer(method, self.clean(params), name)


@dataclass(frozen=True, slots=True)
class AnswersOfSeveral:
    """Has the person asked what belongs to one of several calls of one session, and does not say to which.

    No agent is asked: it would take the question for one of the call that it hears of it by.
    """

    first: CallAnswers
    others: tuple[CallAnswers, ...]

    @property
    def capabilities(self) -> Message:
        """Return what would be answered."""
        return OF_THE_PERSON

    def together(self, others: Sequence[Answers]) -> Answers | None:  # noqa: ARG002 - so it is asked
        """Return None: these are put together from calls only."""
        return None

    async def answer(self, method: str, params: Message, name: str = "") -> Message:  # noqa: ARG002 - so it is asked
        """Return the person's answer; turn down what no person is asked."""
        talks = [each.context.talk for each in (self.first, *self.others)]
        heard = [talk for talk in talks if talk is not None]
        try:
            if not heard:
                raise _nobody(method)
            return await heard[0].answer_for_one_of(heard[1:], method, self.first.clean(params))
        except Failure as failure:
            raise UpstreamError(Trouble.REFUSED, failure.message) from failure


@dataclass(frozen=True, slots=True)
class ConnectionAnswers:
    """Answers what a server of the older era asks outside of a call, and says beforehand what it may ask at all."""

    answerers: Answerers
    server: ServerConfig
    session: str
    """The session that the connection is for; empty for all. One that all share is told of no session's folder."""

    @property
    def capabilities(self) -> Message:
        """Return what a server may ask over this connection. Whether the agent of a call can answer is seen then."""
        told: dict[str, Any] = {}
        if self.answerers.sampling.is_allowed(self.server):
            told["sampling"] = {}
        if roots.are_told(self.server):
            told["roots"] = {}
        return told

    def together(self, others: Sequence[Answers]) -> Answers | None:  # noqa: ARG002 - so it is asked
        """Return None: it answers for no call."""
        return None

    async def answer(self, method: str, params: Message, name: str = "") -> Message:  # noqa: ARG002 - so it is asked
        """Return the folders that the session works in; turn down everything else."""
        try:
            if method == roots.METHOD:
                return _roots(self.answerers, self.server, self.session)
            raise _nobody(method)
        except Failure as failure:
            raise UpstreamError(Trouble.REFUSED, failure.message, code=METHOD_NOT_FOUND) from failure


def _roots(answerers: Answerers, server: ServerConfig, session: str) -> Message:
    if not roots.are_told(server):
        raise Failure(
            FailureClass.CAPABILITY_DENIED,
            "A server elsewhere is not told the folders of this machine.",
            boundary=Boundary.USER,
        )
    return roots.roots_of(answerers.workspaces.of(session))


def _nobody(method: str) -> Failure:
    return Failure(FailureClass.CAPABILITY_DENIED, f"Nobody here answers {method[:100]}.", boundary=Boundary.USER)

"""The inner seam: what the rest of the room sees of a server that runs, whatever transport and era it has."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from daemon.core.failures import Failure

Message = Mapping[str, Any]
"""A JSON object of the protocol: parameters, a result, a definition."""


class Era(StrEnum):
    """Which of the two forms of the protocol a server speaks."""

    HANDSHAKE = "handshake"
    """Up to 2025-11-25: `initialize`, and requests of the server's own on the same connection."""
    MODERN = "modern"
    """Since 2026-07-28: every request says who asks, and the server asks back in its result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a server said of itself when the connection was made. None of it is trusted."""

    era: Era
    version: str
    """The version of the protocol."""
    server: Message
    """Name, title and version, as the server gives them."""
    capabilities: Message
    instructions: str = ""


class Trouble(StrEnum):
    """Why a server did not answer as it should."""

    NOT_STARTED = "not_started"
    NO_PROCESS = "no_process"
    """Its program could not even be executed, so it wrote nothing to its log."""
    NOT_REACHED = "not_reached"
    """The request certainly did not leave."""
    LOST = "lost"
    """The request left, and its answer did not come: the connection or the process ended."""
    TIMED_OUT = "timed_out"
    """The request left, and its answer did not come in time."""
    SESSION_GONE = "session_gone"
    """The server no longer knows the upstream session, and said so before doing anything."""
    UNAUTHORISED = "unauthorised"
    """The server wants a login, another one, or one with more rights."""
    REFUSED = "refused"
    """The server answered with an error of the protocol."""
    MALFORMED = "malformed"
    """The answer is no answer of the protocol, or too large."""


class UpstreamError(Exception):
    """A request to a server went wrong: why, and whether it may have had an effect."""

    def __init__(
        self,
        trouble: Trouble,
        message: str,
        *,
        code: int | None = None,
        data: Any = None,
        challenge: str | None = None,
        failure: Failure | None = None,
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.code = code
        self.data = data
        self.challenge = challenge
        """The `WWW-Authenticate` header that came with UNAUTHORISED."""
        self.failure = failure
        """What the caller is told in place of this, where something of ours refused: a locked vault, for example."""

    def told(self, *, trouble: Trouble | None = None, message: str | None = None) -> "UpstreamError":
        """Return the same problem as a new error, with another kind or in other words."""
        return UpstreamError(
            trouble or self.trouble,
            self.message if message is None else message,
            code=self.code,
            data=self.data,
            challenge=self.challenge,
            failure=self.failure,
        )

    @property
    def may_have_run(self) -> bool:
        """Say whether the server may have done what was asked."""
        return self.trouble in {Trouble.LOST, Trouble.TIMED_OUT, Trouble.MALFORMED}


class Asking(NamedTuple):
    """How one request is made: how long it may take, and who hears of its progress and answers what it asks back."""

    seconds: float
    progress: Callable[[Message], None] | None = None
    answers: "Answers | None" = None
    lines: "LogLines | None" = None
    """Who hears the lines that the server writes for the log while it works on the request."""


class Answers(Protocol):
    """Answers what a server asks back while it works on a request: elicitation, sampling, roots."""

    @property
    def capabilities(self) -> Message:
        """Return what can be answered, in the words in which a client says of itself what it can."""
        ...

    async def answer(self, method: str, params: Message, name: str = "") -> Message:
        """Return the result; raise UpstreamError with REFUSED to turn it down.

        `name` is what the server calls the question, in the era in which questions have names.
        """
        ...

    def together(self, others: "Sequence[Answers]") -> "Answers | None":
        """Return who answers a question that belongs to this request or to one of others, and does not say to which.

        None if nobody may: an answer for one session must not reach another one.
        """
        ...


class LogLines(Protocol):
    """Hears what a server writes for the log while it works on one request."""

    @property
    def level(self) -> str:
        """Return the lowest level that is wanted, such as `info`."""
        ...

    @property
    def session(self) -> str:
        """Return the session that the request is made for: nobody else hears its lines."""
        ...

    def line(self, params: Message) -> None:
        """Take one line. Must not block."""
        ...


class Notices(Protocol):
    """Hears what a server says unasked: a list changed, a resource was updated, a line for the log."""

    def notice(self, method: str, params: Message) -> None:
        """Take one notification. Must not block."""
        ...


class ToolExecutor(Protocol):
    """One server that can be asked."""

    @property
    def name(self) -> str:
        """Return the name of the server in the configuration."""
        ...

    @property
    def hello(self) -> Hello:
        """Return what the server said of itself."""
        ...

    @property
    def is_open(self) -> bool:
        """Say whether a request can still be made; once this is no, it stays no."""
        ...

    @property
    def tools_hold_seconds(self) -> float:
        """Return for how long the last list of tools holds, as the server says; 0 if it does not say."""
        ...

    async def tools(self, asking: Asking) -> Sequence[Message]:
        """Return all definitions of tools, from every page."""
        ...

    async def every(self, method: str, asking: Asking) -> Sequence[Message]:
        """Return all entries of a list from every page; `method` is a list's, such as `resources/list`."""
        ...

    def call_tool(self, name: str, arguments: Mapping[str, Any], asking: Asking) -> Coroutine[Any, Any, Message]:
        """Call a tool; return its result as the server gave it, in the form of the modern era."""
        ...

    async def ask(self, method: str, params: Message, asking: Asking) -> Message:
        """Make any other request; return its result."""
        ...

    async def close(self) -> None:
        """End the connection, and the process with all its descendants if it is a local one."""
        ...

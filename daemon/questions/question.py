"""A question to the person, as a value: what is asked, for which call, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daemon.base.clock import rfc3339
from daemon.core.principal import Principal
from daemon.questions.asked import Asked


class QuestionState(StrEnum):
    """Where a question stands. Everything but `open` is an end, and final."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    """The person said neither yes nor no: the tool may go on as it likes."""
    EXPIRED = "expired"
    ENDED = "ended"
    """What it was for is over: the call, the session, the server or the daemon."""


class Action(StrEnum):
    """What a person can say; the words are those of the protocol."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"


STATE_AFTER = {
    Action.ACCEPT: QuestionState.ACCEPTED,
    Action.DECLINE: QuestionState.DECLINED,
    Action.CANCEL: QuestionState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    tool: str
    execution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """For which call something is asked."""

    session: str
    asker: Principal
    """Who asked for the call."""
    origin: str
    """Who offers the tool and asks now: the name of a server."""
    tool: str
    execution: str
    others: tuple[Call, ...] = ()
    """Other calls that it may be for instead: where several are under way, some servers do not say for which."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return every call that it may be for."""
        return (Call(self.tool, self.execution), *self.others)

    @property
    def tools(self) -> str:
        """Return the names of the tools that it may be for."""
        return " or ".join(dict.fromkeys(each.tool for each in self.calls))

    def called_by(self) -> str:
        """Return who asked for the call as people read it, with the name of their session where it has one."""
        said, name = self.asker.in_words(), self.asker.name
        return said if name in said else f"{said} ({name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question. What a person answers is never a part of it."""

    id: str
    about: About
    asked: Asked
    state: QuestionState
    created_ms: int
    expires_ms: int
    ended_ms: int | None = None
    ended_by: Principal | None = None
    reason: str = ""
    """Why it ended, where no person ended it."""

    @property
    def is_open(self) -> bool:
        """Say whether it can be answered."""
        return self.state is QuestionState.OPEN

    def stands(self) -> str:
        """Return where it stands, in a sentence."""
        if self.state is QuestionState.OPEN:
            return "It waits for an answer."
        if self.ended_by is not None:
            return f"It was {self.state.value} by {self.ended_by.in_words()}."
        return self.reason

    def as_json(self) -> dict[str, Any]:
        """Return the question as the control API shows it."""
        about, page = self.about, self.asked.page
        by: Mapping[str, Any] = (
            {} if self.ended_by is None else {"ended_by": str(self.ended_by), "ended_with": self.ended_by.means.value}
        )
        return {
            "id": self.id,
            "state": self.state.value,
            "message": self.asked.message,
            "fields": None if self.asked.form is None else self.asked.form.as_json(),
            "url": None if page is None else page.url,
            "host": None if page is None else page.host,
            "server": about.origin,
            "tool": about.tool,
            "session": about.session,
            "asker": str(about.asker),
            "called_by": about.called_by(),
            "execution": about.execution,
            "calls": [{"tool": each.tool, "execution": each.execution} for each in about.calls],
            "created_at": rfc3339(self.created_ms),
            "expires_at": rfc3339(self.expires_ms),
            "ended_at": None if self.ended_ms is None else rfc3339(self.ended_ms),
            "stands": self.stands(),
            **by,
        }

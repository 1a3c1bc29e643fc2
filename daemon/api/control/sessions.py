"""Sessions: who is at work; opening one hands out its token."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.control.owners import owner_of
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Newest, first_of
from daemon.api.principals import Who
from daemon.approvals.service import Approvals
from daemon.base.processes import Processes
from daemon.core.principal import DAEMON, Principal
from daemon.core.visible import visible
from daemon.sessions.service import SessionKind, Sessions
from daemon.sessions.tokens import Capability

_LIST = "sessions"
SessionId = Annotated[str, Path(max_length=100)]


class SessionBody(Body):
    """What a session is for and what its token may do."""

    kind: SessionKind = Field(default=SessionKind.API, strict=False)
    label: str = Field(default="", max_length=200)
    capabilities: list[Annotated[Capability, Field(strict=False)]] = Field(default_factory=lambda: list(Capability))
    owner_pid: int | None = Field(default=None, ge=1, le=2**31 - 1)
    ttl_seconds: float = Field(default=86_400, gt=0, le=30 * 86_400)


class EndedBy(StrEnum):
    """What brought the end about, as the program says that asks for it."""

    PERSON = "person"
    LAUNCHER = "launcher"
    """The program that launched the agent: the agent has ended, or the launch was interrupted."""
    CONNECTION = "connection"
    """The program that serves the agent, `aileron-mcp`: nobody is connected with it any more."""


_USUAL_REASONS = {
    EndedBy.PERSON: "ended by the person",
    EndedBy.LAUNCHER: "the agent ended",
    EndedBy.CONNECTION: "its connection was closed",
}


class EndBody(Body):
    """Why a session ends."""

    reason: str | None = Field(default=None, min_length=1, max_length=200)
    by: EndedBy = Field(default=EndedBy.PERSON, strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    sessions: Sessions
    approvals: Approvals
    processes: Processes
    agent_url: str


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    sessions = uses.sessions

    @routes.get("/v1/sessions", operation_id="sessions_list")
    async def list_sessions(part: Newest, active: bool | None = None) -> ListPart:
        """Return sessions, the newest first."""
        before = part.behind(_LIST, int, str)
        found = await sessions.list(active=active, limit=part.limit + 1, before=before)  # type: ignore[arg-type]
        items, cursor = first_of(_LIST, found, key=lambda each: (each.created_ms, each.id), part=part)
        return ListPart(items=[each.as_json() for each in items], next_cursor=cursor)

    @routes.post("/v1/sessions", operation_id="session_open", status_code=201)
    async def open_session(body: SessionBody, who: Who) -> dict[str, Any]:
        """Open a session and return its token, this once."""
        session, token = await sessions.open(
            kind=body.kind,
            label=body.label,
            capabilities=body.capabilities,
            lifetime_ms=int(body.ttl_seconds * 1000),
            actor=who,
            owner=await owner_of(uses.processes, body.owner_pid),
        )
        return session.as_json() | {"token": token, "agent_url": uses.agent_url}

    @routes.get("/v1/sessions/{session_id}", operation_id="session_show")
    async def show(session_id: SessionId) -> dict[str, Any]:
        """Return one session."""
        return (await sessions.get(session_id)).as_json()

    @routes.post("/v1/sessions/{session_id}/end", operation_id="session_end")
    async def end(session_id: SessionId, who: Who, body: EndBody | None = None) -> dict[str, Any]:
        """End a session: its token opens nothing any more, and what it had asked for is void."""
        reason, actor = _ended(body, who)
        session = await sessions.end(session_id, reason=visible(reason), actor=actor)
        # Approvals follow their session by themselves, however it ends. Here the answer waits until they have.
        await uses.approvals.void_session(session_id)
        return session.as_json()

    return routes


def _ended(body: EndBody | None, who: Principal) -> tuple[str, Principal]:
    """Return why a session ends, and who ended it.

    Every program of the person's shows the same token, so only a person who asks is the actor. What a program ends by
    itself, because its agent is gone, is the daemon's, like every other end that nobody asked for.
    """
    if body is None:  # a caller that says nothing, as aileron-mcp of earlier versions does
        return "ended by a program that did not say why", who
    return body.reason or _USUAL_REASONS[body.by], who if body.by is EndedBy.PERSON else DAEMON

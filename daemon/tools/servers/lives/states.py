"""In what state a server is, for who lists servers. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from daemon.tools.servers.upstream.seam import Hello


class State(StrEnum):
    """In what state one server is. `Life` draws how one follows the other."""

    DISABLED = "disabled"
    STOPPED = "stopped"
    """It is started when somebody needs it."""
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"
    """It could not be started, or ended unexpectedly, and is left alone for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastError:
    """What went wrong the last time. Without secrets; what the server wrote in it is not trusted."""

    message: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """One server, whether it runs once or once for each of several sessions."""

    state: State
    running: int = 0
    """How many processes or upstream sessions it has."""
    calls: int = 0
    """How many calls are under way."""
    hello: Hello | None = None
    """What it said of itself when it was last started."""
    last_error: LastError | None = None
    again_in_seconds: float = 0.0
    """How long a server that failed is still left alone."""


_MOST_ALIVE_FIRST = (State.READY, State.STARTING, State.STOPPING, State.FAILED, State.STOPPED)


def together(states: list[ServerState]) -> ServerState:
    """Return several sessions' states of one server as one: the state is that of the one that is most alive."""
    if not states:
        return ServerState(state=State.STOPPED)
    first = min(states, key=lambda each: _MOST_ALIVE_FIRST.index(each.state))
    errors = [each.last_error for each in states if each.last_error is not None]
    return ServerState(
        state=first.state,
        running=sum(each.running for each in states),
        calls=sum(each.calls for each in states),
        hello=first.hello or next((each.hello for each in states if each.hello is not None), None),
        last_error=max(errors, key=lambda each: each.at_ms, default=None),
        again_in_seconds=max(each.again_in_seconds for each in states),
    )

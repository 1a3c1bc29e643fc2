"""One tool of one server: what was accepted of it, and what the server says of it now. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from daemon.tools.servers.pins.definitions import Definition


class PinState(StrEnum):
    """Whether a tool may be called.

    (first look) ──> ready <──────────────┐
                       │ other definition  │ accepted, or as it was again
    (later look)       v                   │
         └──> new    changed ──────────────┘
               └── accepted ──> ready
    any ── no longer offered ──> gone ── offered again ──> ready, changed or new
    """

    READY = "ready"
    NEW = "new"
    """Withheld: it was not there at the first look, and nobody has accepted it."""
    CHANGED = "changed"
    """Withheld: its definition is not the one that was accepted."""
    GONE = "gone"
    """The server no longer offers it."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A tool of a server as it is kept."""

    server: str
    tool: str
    """The name that the server calls it by."""
    record: str
    """The name that records and rules have."""
    state: PinState
    accepted: Definition | None
    """What was there at the first look, or what a person accepted; None for a tool that nobody has accepted yet."""
    pending: Definition | None = None
    """What waits for a person to look at."""
    first_ms: int
    accepted_ms: int | None = None
    accepted_by: str | None = None
    """None for what was taken at the first look."""

    @property
    def withheld(self) -> bool:
        """Say whether it waits for a person."""
        return self.state in {PinState.NEW, PinState.CHANGED}

    def seen(self, now: Definition | None) -> "Pin":
        """Return the pin after the server was asked: `now` is what it says, None if it does not offer the tool."""
        if now is None:
            return replace(self, state=PinState.GONE, pending=None)
        if self.accepted is None:
            return replace(self, state=PinState.NEW, pending=now)
        if self.accepted.digest == now.digest:
            return replace(self, state=PinState.READY, pending=None)
        return replace(self, state=PinState.CHANGED, pending=now)

    def after_review(self, *, now_ms: int, by: str) -> "Pin":
        """Return the pin after a person accepted what waits."""
        return replace(
            self,
            state=PinState.READY,
            accepted=self.pending,
            pending=None,
            accepted_ms=now_ms,
            accepted_by=by,
        )


def compared(
    known: Mapping[str, Pin], seen: Mapping[str, Definition], *, names: Mapping[str, str], server: str, now_ms: int
) -> dict[str, Pin]:
    """Return the pins of a server, by tool, that are not as they were, after a look that was not the first."""
    after = {tool: pin.seen(seen.get(tool)) for tool, pin in known.items()}
    for tool, definition in seen.items():
        if tool not in known:
            after[tool] = Pin(
                server=server,
                tool=tool,
                record=names[tool],
                state=PinState.NEW,
                accepted=None,
                pending=definition,
                first_ms=now_ms,
            )
    return {tool: pin for tool, pin in after.items() if pin != known.get(tool)}


def taken_as_they_are(
    seen: Mapping[str, Definition], *, names: Mapping[str, str], server: str, now_ms: int
) -> dict[str, Pin]:
    """Return the pins of a server after the first look: what it offers then is what the person added."""
    return {
        tool: Pin(
            server=server,
            tool=tool,
            record=names[tool],
            state=PinState.READY,
            accepted=definition,
            first_ms=now_ms,
            accepted_ms=now_ms,
        )
        for tool, definition in seen.items()
    }

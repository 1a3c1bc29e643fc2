"""One sandbox: what was made for it, and how far it has come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.core.failures import Failure
from daemon.core.ids import IdPrefix
from daemon.core.missing import no_such
from daemon.core.principal import DAEMON, Principal
from daemon.sandbox.attachment import Attachment
from daemon.sandbox.berth import Berth
from daemon.sandbox.workplace import Workplace


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """Everything that exists because of one launch. `Sandboxes` draws the states that the events stand for."""

    session: str
    agent: str
    workplace: Workplace
    berth: Berth
    token: str = field(repr=False)
    launched_by: Principal
    label: str = ""
    terminal: bool = False
    """The agent has a terminal."""
    size: tuple[int, int] | None = None
    """How large the launcher's terminal is, in columns and rows."""
    owner_pid: int | None = None
    """The process of the person's that launched it."""
    notes: list[str] = field(default_factory=list)
    """What the person must know about the engine. The workplace has notes of its own."""
    container: str | None = None
    attachment: Attachment | None = None
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    """The first process has called the daemon."""
    may_probe: asyncio.Event = field(default_factory=asyncio.Event)
    """The network has its rules, so the first process may look at it."""
    report: "asyncio.Future[Mapping[str, Any]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    may_start: asyncio.Event = field(default_factory=asyncio.Event)
    """The report was right, so the agent may start."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The agent has ended, or is being ended: nobody else may hold the engine up any more."""
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """A task removes it; nothing new may begin in it."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing of it is left."""
    outcome: dict[str, Any] = field(default_factory=dict)
    why: str = "the agent ended"
    ended_by: Principal = DAEMON
    """Who asked for the end; most ends nobody asks for, the daemon sees to them."""
    timer: asyncio.TimerHandle | None = None
    """Ends it when its time is over."""
    unheard: asyncio.TimerHandle | None = None
    """Ends it unless somebody begins to read its output."""
    watch: "asyncio.Task[None] | None" = None
    """Ends it when its network is gone."""
    quota: "asyncio.Task[None] | None" = None
    """Ends it when it has written too much."""

    @property
    def folder(self) -> Path:
        """Return where its files are."""
        return self.berth.folder

    @property
    def workspace(self) -> Path:
        """Return the folder that the person launched in."""
        return self.workplace.folder

    @property
    def network_mode(self) -> str:
        """Return how far its network reaches, in a word."""
        return "open" if self.berth.outside else "internal"

    def as_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        progress = self.workplace.progress
        return {
            "id": self.session,
            "agent": self.agent,
            "label": self.label,
            "workspace": str(self.workspace),
            "terminal": self.terminal,
            "network": self.network_mode,
            "container": None if self.container is None else self.container[:12],
            "ready": self.may_start.is_set(),
            "notes": [*self.notes, *self.workplace.told],
            "workspace_way": self.workplace.way.value,
            "resumed": None if self.workplace.resumed is None else self.workplace.resumed.session,
            "owner_pid": self.owner_pid,
            "copied": {"files": progress.files, "bytes": progress.bytes} if progress.running else None,
        }


def no_sandbox(session: str) -> Failure:
    """Return the failure of an id that no sandbox has."""
    return no_such("sandbox", session, prefix=IdPrefix.SESSION, remedy="See `aileron sandbox list`.")

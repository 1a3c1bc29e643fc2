"""One running sandbox: what belongs to it, what is heard of it, and its end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.sandbox.attachment import Attachment
from daemon.sandbox.berth import Berth
from daemon.sandbox.workplace import Workplace


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """Everything that exists because of one launch; whatever is not None must be undone."""

    session: str
    agent: str
    workplace: Workplace
    berth: Berth
    token: str = field(repr=False)
    owner_pid: int | None = None
    """The process of the person's that launched it."""
    notes: list[str] = field(default_factory=list)
    """What the person must know of the engine; of the workspace, its own notes say it."""
    container: str | None = None
    attachment: Attachment | None = None
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    """The first process has called."""
    may_probe: asyncio.Event = field(default_factory=asyncio.Event)
    report: "asyncio.Future[Mapping[str, Any]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    may_start: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    """The end has begun."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing of it is left."""
    outcome: dict[str, Any] = field(default_factory=dict)
    why: str = "the agent ended"
    timer: asyncio.TimerHandle | None = None
    lonely: asyncio.TimerHandle | None = None
    watch: "asyncio.Task[None] | None" = None
    """Notices when the network is gone."""
    quota: "asyncio.Task[None] | None" = None
    """Notices when too much is written."""

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
            "workspace": str(self.workspace),
            "network": self.network_mode,
            "container": None if self.container is None else self.container[:12],
            "ready": self.may_start.is_set(),
            "notes": [*self.notes, *self.workplace.told],
            "workspace_way": self.workplace.way.value,
            "resumed": None if self.workplace.resumed is None else self.workplace.resumed.session,
            "owner_pid": self.owner_pid,
            "copied": {"files": progress.files, "bytes": progress.bytes} if progress.running else None,
        }

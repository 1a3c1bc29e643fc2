"""Where a sandbox will run: a closed network with a listener at its one open port, made before an agent is in it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.sandbox.attachment import Attachment
from daemon.sandbox.certificates import Issued
from daemon.sandbox.container_options import HOST
from daemon.sandbox.held_pipe import HeldPipe
from daemon.sandbox.reach import FORWARDED_PORT


class OpenListener(Protocol):
    """A listener that is bound, and serves when it is told what."""

    @property
    def port(self) -> int: ...
    async def start(self, app: ASGIApp) -> None: ...
    async def stop(self) -> None: ...
    def close(self) -> None: ...


Listen = Callable[[str | Path, Issued], OpenListener]
"""Binds a listener to an address or to a socket in a folder, with a certificate."""


class Door:
    """What the listener of a berth serves: nothing, until a sandbox is behind it."""

    def __init__(self) -> None:
        self.behind: ASGIApp = PlainTextResponse("Nobody lives here yet.", status_code=503)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        await self.behind(scope, receive, send)


@dataclass(slots=True, kw_only=True)
class Berth:
    """One place; it and everything in it is known by the id that its session has, or will have."""

    session: str
    folder: Path
    outside: bool
    """Its network leads out, because the person wants that."""
    ahead: bool
    """It was made before anybody asked for it."""
    door: Door = field(default_factory=Door)
    address: str = ""
    anchor: str = ""
    """The container that holds the network, so that it is closed before the agent's own container begins."""
    forwarded: bool = False
    """Its only open port is that of a forwarder."""
    lines: list[Attachment] = field(default_factory=list)
    """The streams of the anchor and the forwarder; they end with them. A forwarder ends when its input does."""
    held: HeldPipe | None = None
    """When this is closed, or the daemon dies, the anchor ends, and the kernel kills whatever is in the sandbox."""
    listener: OpenListener | None = None
    made: "asyncio.Task[None] | None" = None
    closed: "asyncio.Task[None] | None" = None
    """Sets the rules; nothing may begin in the network before they hold."""

    @property
    def run(self) -> Path:
        """Return the folder that the containers see."""
        return self.folder / "run"

    @property
    def url(self) -> str:
        """Return where the agent API is, as seen from inside."""
        return f"https://{HOST}:{self.port}"

    @property
    def port(self) -> int:
        """Return the one port that is open."""
        if self.forwarded:
            return FORWARDED_PORT
        if self.listener is None:
            raise RuntimeError("a berth without a listener has no port")
        return self.listener.port

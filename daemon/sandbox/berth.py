"""Where a sandbox will run: a closed network with a listener at its one open port, made before an agent is in it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.base.whole import Reply, Taken, Whole, taker
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
    """The app that the listener of a berth serves. It refuses every request until there is a sandbox in the berth."""

    def __init__(self) -> None:
        self.behind: ASGIApp = PlainTextResponse("No sandbox is behind this listener yet.", status_code=503)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the app behind it."""
        await self.behind(scope, receive, send)

    def take(self, request: Whole, reply: Reply) -> Taken | None:
        """Offer a request that came in one piece to the app behind it."""
        behind = taker(self.behind)
        return None if behind is None else behind.take(request, reply)


@dataclass(slots=True, kw_only=True)
class Berth:
    """A place for one sandbox.

    The id of its session is drawn when the berth is made. Everything in the engine carries that id, also while the
    berth is a spare one and its session has not begun.
    """

    session: str
    folder: Path
    outside: bool
    """Its network leads to the outside, because the person asked for that."""
    ahead: bool
    """It was made as a spare, before a launch asked for it."""
    door: Door = field(default_factory=Door)
    address: str = ""
    anchor: str = ""
    """The container that holds the network, so that the rules hold before the agent's own container begins."""
    forwarded: bool = False
    """Its only open port is that of a forwarder, which carries connections to the daemon."""
    forwarder: str = ""
    """The container of the forwarder, if there is one."""
    lines: list[Attachment] = field(default_factory=list)
    """The streams of the anchor and the forwarder. Each ends with its container, a forwarder also with its input."""
    held: HeldPipe | None = None
    """When this is closed, or the daemon dies, the anchor ends, and the kernel kills whatever is in the sandbox."""
    listener: OpenListener | None = None
    made: "asyncio.Task[None] | None" = None
    closed: "asyncio.Task[None] | None" = None
    """The task that sets the rules. Nothing may begin in the network before it has ended."""

    @property
    def holders(self) -> tuple[str, ...]:
        """Return the containers without which nothing in the berth reaches the daemon."""
        return tuple(filter(None, (self.anchor, self.forwarder)))

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

"""The surface of aileron-mcp over Streamable HTTP, at `/mcp` of the agent API: for agents that take a URL.

It is the same code as beside an agent, and a client of this API as the agent itself: it can do what its token can, and
nothing else. The door in front has checked Host, Origin and the token before anything comes here.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.api.capabilities import claims_in
from daemon.api.envelopes import failure_response
from daemon.api.inside import Inside
from daemon.api.stopping import Stopping
from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sessions.service import Sessions
from daemon.sessions.tokens import TokenClaims

if TYPE_CHECKING:
    from aileron_mcp.client import AgentClient

T = TypeVar("T")

_NOWHERE = "http://inside"
"""Requests need an address; nothing is looked up."""
_MOST_SURFACES = 64
_MOST_SESSIONS = 8
"""Sessions of the protocol's older era for each token."""
_IDLE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class _Link:
    """The connection of one token to this API; it is given, so it is never replaced."""

    session_id: str
    given: "AgentClient"

    @property
    def at_hand(self) -> "AgentClient":
        return self.given

    async def client(self) -> "AgentClient":
        return self.given

    async def renew(self) -> bool:
        return False

    async def do(self, work: "Callable[[AgentClient], Awaitable[T]]") -> T:
        return await work(self.given)


@dataclass(slots=True)
class _Surface:
    """What one token is served with."""

    session: str
    over: asyncio.Event = field(default_factory=asyncio.Event)
    app: "asyncio.Future[ASGIApp]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Surfaces:
    """One surface for each token that asks, until its session or the daemon ends."""

    def __init__(self, *, sessions: Sessions, stopping: Stopping, tasks: TaskSet, api: Callable[[], ASGIApp]) -> None:
        self._sessions = sessions
        self._tasks = tasks
        self._stopping = stopping
        self._api = api
        self._surfaces: dict[str, _Surface] = {}
        sessions.on_end(self._session_ended)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        token = Headers(scope=scope).get("authorization", "").partition(" ")[2].strip()
        surface = self._surfaces.get(token)
        if surface is None:
            if len(self._surfaces) >= _MOST_SURFACES:
                await failure_response(_too_many(), status=503)(scope, receive, send)
                return
            claims = claims_in(scope)
            surface = self._surfaces[token] = _Surface(claims.session)
            self._tasks.start(self._serve(token, surface, claims), name="serve an agent over HTTP")
        app = await asyncio.shield(surface.app)
        await app(scope, receive, send)

    async def _serve(self, token: str, surface: _Surface, claims: TokenClaims) -> None:
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="load-surface") as thread:
                await asyncio.get_running_loop().run_in_executor(thread, _load)
            from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415

            from aileron_mcp.client import AgentClient  # noqa: PLC0415
            from aileron_mcp.server import ToolServer  # noqa: PLC0415

            inside = Inside(self._api(), claims=claims, bearer=self._sessions.bearer(claims.session))
            async with AgentClient(_NOWHERE, token, way=inside) as client:
                manager = StreamableHTTPSessionManager(
                    ToolServer(_Link(surface.session, client)).server,
                    session_idle_timeout=_IDLE_SECONDS,
                    max_sessions=_MOST_SESSIONS,
                )
                with self._stopping.telling(surface.over.set):
                    async with manager.run():
                        surface.app.set_result(manager.handle_request)
                        await surface.over.wait()
        finally:
            self._surfaces.pop(token, None)
            if not surface.app.done():
                surface.app.cancel()

    def _session_ended(self, session: str) -> None:
        for surface in self._surfaces.values():
            if surface.session == session:
                surface.over.set()


def _load() -> None:
    """Load what takes 25 MB and half a second: for the first who asks, and beside the event loop."""
    importlib.import_module("mcp.server.streamable_http_manager")
    importlib.import_module("aileron_mcp.server")


def _too_many() -> Failure:
    return Failure(
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
        f"{_MOST_SURFACES} agents are served over HTTP already; end a session, or use aileron-mcp.",
        boundary=Boundary.RUNTIME,
        retriable=True,
    )

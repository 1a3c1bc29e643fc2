"""The servers that run: each is started by the first call that needs it, and lent to all that do."""

import asyncio
from collections import deque
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from daemon.base.clock import Clock
from daemon.base.tasks import TaskSet
from daemon.tools.servers.lending import Configured
from daemon.tools.servers.lives import refusals
from daemon.tools.servers.lives.life import Life, RetiredError
from daemon.tools.servers.lives.opened import OpenServer, Running
from daemon.tools.servers.lives.states import ServerState, State, together
from daemon.tools.servers.upstream.seam import ToolExecutor
from daemon.tools.servers.values import Scope, ServerConfig

MOST_OF_A_SESSION = 8
"""How many servers of its own a session may run. What is shared by all is bounded by the configuration."""
MOST_OF_ALL_SESSIONS = 64

_REMEMBERED = 1024
"""How many ended sessions are remembered: a call that waited while its session ended must not start a server."""

_Key = tuple[str, str]


class Pool:
    """Owns every life. All of it belongs to the event loop's thread.

    With `configured`, what it says at the moment of a call decides whether the server is lent, and as what.
    """

    def __init__(
        self,
        open_server: OpenServer,
        clock: Clock,
        tasks: TaskSet,
        *,
        configured: Configured | None = None,
        most_of_a_session: int = MOST_OF_A_SESSION,
        most_of_all_sessions: int = MOST_OF_ALL_SESSIONS,
    ) -> None:
        self._open_server = open_server
        self._clock = clock
        self._tasks = tasks
        self._configured = configured
        self._most_of_a_session = most_of_a_session
        self._most_of_all_sessions = most_of_all_sessions
        self._lives: dict[_Key, Life] = {}
        self._retired: set[Life] = set()
        """Replaced by another life, and not yet closed."""
        self._ended_sessions: deque[str] = deque(maxlen=_REMEMBERED)
        self._closed = False

    def lent(self, server: ServerConfig, session: str) -> AbstractAsyncContextManager[ToolExecutor]:
        """Lend a server that runs, after starting it if need be.

        Raises a Failure with its remedy, or UpstreamError, if there is none to be had.
        """
        return _Loan(self, server, session)

    def life_of(self, server: ServerConfig, session: str) -> Life:
        """Return the life that is lent from now, with room for it to begin; raises a Failure if there is none."""
        config = self._as_configured(server)
        key = (config.name, session if config.scope is Scope.SESSION else "")
        if key[1] in self._ended_sessions:
            raise refusals.session_over(config.name)
        life = self._lives.get(key)
        if life is not None and life.config is not config and life.config != config:
            self._retire(key)
            life = None
        if life is None:
            life = self._lives[key] = Life(
                config, key[1], open_server=self._open_server, clock=self._clock, tasks=self._tasks
            )
        if life.session and not life.is_up:
            self._make_room(life)
        return life

    def state(self, server: ServerConfig) -> ServerState:
        """Return in what state a server is."""
        state = together([life.state() for life in self._of(server.name)])
        if server.enabled:
            return state
        return ServerState(state=State.DISABLED, hello=state.hello, last_error=state.last_error)

    async def stop(self, server: str) -> None:
        """End a server now, with what it does; returns when nothing of it is left. The next call starts it again."""
        lives = self._of(server)
        for life in lives:
            life.stop()
            life.forgive()
        for life in lives:
            await life.ended()

    async def restart(self, server: ServerConfig) -> None:
        """End a server, forget its failures, and start it again; raises a Failure or UpstreamError if that fails.

        One that every session has for itself is started by their next calls.
        """
        await self.stop(server.name)
        if server.scope is Scope.SHARED:
            async with self.lent(server, ""):
                pass

    def session_ended(self, session: str) -> None:
        """End what a session has for itself."""
        self._ended_sessions.append(session)
        for key, life in list(self._lives.items()):
            if life.session and life.session == session:
                life.stop()
                self._retire(key)

    def follow_configuration(self) -> None:
        """Let those end that are configured otherwise by now, or not at all, when their calls are done."""
        if self._configured is not None:
            current = self._configured.all()
            for key, life in list(self._lives.items()):
                found = current.get(key[0])
                if found != life.config or not found.enabled:
                    self._retire(key)

    async def follow(self) -> None:
        """Do so at every change, for ever."""
        if self._configured is not None:
            async for _ in self._configured.changes():
                self.follow_configuration()

    async def close(self) -> None:
        """End every server, and lend nothing more."""
        self._closed = True
        lives = {*self._lives.values(), *self._retired}
        for life in lives:
            life.stop()
        for key in list(self._lives):
            self._retire(key)
        await asyncio.gather(*(life.ended() for life in lives))

    def _as_configured(self, server: ServerConfig) -> ServerConfig:
        if self._closed:
            raise refusals.stopping()
        current = server
        if self._configured is not None:
            found = self._configured.all().get(server.name)
            if found is None:
                raise refusals.gone(server.name)
            current = found
        if not current.enabled:
            raise refusals.disabled(server.name)
        if current is not server and current.identity != server.identity:
            raise refusals.changed(server.name)
        return current

    def _make_room(self, wanted: Life) -> None:
        """Stop what is not needed, so that a session can have one more server; raises the Failure if nothing can be."""
        for key, life in list(self._lives.items()):
            if life is not wanted and life.session and not life.is_up and not life.is_resting:
                self._retire(key)  # it may be of a session that has ended meanwhile
        own = [life for life in self._lives.values() if life.session == wanted.session and life.is_up]
        if len(own) >= self._most_of_a_session and not _stopped_longest_idle(own):
            raise refusals.too_many(wanted.config.name, most=self._most_of_a_session, of_session=True)
        every = [life for life in self._lives.values() if life.session and life.is_up]
        if len(every) >= self._most_of_all_sessions and not _stopped_longest_idle(every):
            raise refusals.too_many(wanted.config.name, most=self._most_of_all_sessions, of_session=False)

    def _of(self, server: str) -> list[Life]:
        return [life for (name, _), life in self._lives.items() if name == server]

    def _retire(self, key: _Key) -> None:
        life = self._lives.pop(key)
        life.retire()
        self._retired.add(life)
        self._tasks.start(self._forget(life), name=f"end the former {key[0]}")

    async def _forget(self, life: Life) -> None:
        await life.ended()
        self._retired.discard(life)


class _Loan:
    """One server, lent while it is entered."""

    __slots__ = ("_life", "_pool", "_running", "_server", "_session")
    _life: Life
    _running: Running

    def __init__(self, pool: Pool, server: ServerConfig, session: str) -> None:
        self._pool = pool
        self._server = server
        self._session = session

    async def __aenter__(self) -> ToolExecutor:
        while True:
            life = self._life = self._pool.life_of(self._server, self._session)
            try:
                running = self._running = await life.take()
            except RetiredError:
                continue  # it was changed, or stopped, while it was being started
            return running.opened.executor

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._life.give_back(self._running)


def _stopped_longest_idle(lives: list[Life]) -> bool:
    idle = [life for life in lives if life.is_idle]
    if idle:
        min(idle, key=lambda life: life.used_at).stop()
    return bool(idle)

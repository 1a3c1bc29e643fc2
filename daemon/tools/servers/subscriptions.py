"""Resources that agents watch: each is subscribed to once at its server, however many sessions watch it.

    an agent subscribes --> the server is asked, if nobody watches the resource yet --> watched
    watched --the server says that it changed--> every session that watches it is told, and no other one
    watched --its connection ends--> subscribed to again on the next one; its watchers are told that it may have changed
    watched --the last watcher leaves, or its session ends--> the server is told, and forgotten

A server is kept running while something of it is watched. All of this belongs to the event loop's thread.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.tools.servers.lending import Configured, Lender
from daemon.tools.servers.upstream.seam import Asking, Message, ToolExecutor, UpstreamError
from daemon.tools.servers.values import Scope, ServerConfig

SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"
UPDATED = "notifications/resources/updated"
MOST_OF_A_SESSION = 256
MOST_OF_A_SERVER = 1000

_QUIET_SECONDS = 0.5
"""A resource that changes more often is told of once in this time."""
_LOOK_SECONDS = 1.0
_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_REMEMBERED = 1024
_MOST_LEVELS = 32

Updated = Callable[[str, str, str], None]
"""Is told the session, the prefix of the server's names, and the address that was subscribed to. Must not block."""


@dataclass(eq=False)
class _Watch:
    """What is watched at one server: over the connection that all share, or over that of one session."""

    server: ServerConfig
    session: str
    watchers: dict[str, set[str]] = field(default_factory=dict)
    """The sessions that watch each address."""
    subscribed: WeakKeyDictionary[ToolExecutor, set[str]] = field(default_factory=WeakKeyDictionary)
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    keeping: asyncio.Task[None] | None = None
    quiet: dict[str, bool] = field(default_factory=dict)
    """Addresses that were just told of, and whether they have changed since."""

    def on(self, executor: ToolExecutor) -> set[str]:
        """Return what is subscribed to over a connection."""
        return self.subscribed.setdefault(executor, set())


class Subscriptions:
    """Every resource that is watched."""

    def __init__(self, *, configured: Configured, lender: Lender, tasks: TaskSet) -> None:
        self._configured = configured
        self._lender = lender
        self._tasks = tasks
        self._watches: dict[tuple[str, str], _Watch] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        """Sessions that have ended: a subscription that was on its way then must not stay."""
        self._listeners: list[Updated] = []

    def listen(self, listener: Updated) -> None:
        """Tell somebody of every change from now on."""
        self._listeners.append(listener)

    def check_room(self, server: ServerConfig, session: str, address: str) -> None:
        """Raise the Failure of a session, or of a server, that has too many of them already."""
        watches = self._watches.values()
        own = sum(session in watchers for watch in watches for watchers in watch.watchers.values())
        watch = self._watches.get(_key(server, session))
        known = watch is not None and address in watch.watchers
        if known and watch is not None and session in watch.watchers[address]:
            return
        if own >= MOST_OF_A_SESSION:
            raise _too_many(f"This session watches {MOST_OF_A_SESSION} resources already")
        if not known and watch is not None and len(watch.watchers) >= MOST_OF_A_SERVER:
            raise _too_many(f"{MOST_OF_A_SERVER} resources of the server {server.name} are watched already")

    async def add(
        self, server: ServerConfig, session: str, address: str, executor: ToolExecutor, asking: Asking
    ) -> None:
        """Have a session watch a resource; raises UpstreamError, or the Failure of too many."""
        key = _key(server, session)
        added = False
        while not added:
            watch = self._watches.setdefault(key, _Watch(server, key[1]))
            async with watch.one_at_a_time:
                if self._watches.get(key) is watch:  # else it came to its end while this waited
                    try:
                        await self._add(watch, session, address, executor, asking)
                    finally:
                        self._forget_if_empty(watch)
                    watch.server, added = server, True
        if watch.keeping is None:
            watch.keeping = self._tasks.start(self._keep(watch), name=f"watch resources of {server.name}")

    async def _add(self, watch: _Watch, session: str, address: str, executor: ToolExecutor, asking: Asking) -> None:
        self.check_room(watch.server, session, address)
        if address not in watch.on(executor):
            await executor.ask(SUBSCRIBE, {"uri": address}, asking)
            watch.on(executor).add(address)
        if session in self._ended:
            raise Failure(FailureClass.CAPABILITY_DENIED, "The session has ended.", boundary=Boundary.USER)
        watch.watchers.setdefault(address, set()).add(session)

    def _forget_if_empty(self, watch: _Watch) -> None:
        if not watch.watchers and watch.keeping is None:
            self._watches.pop((watch.server.name, watch.session), None)

    async def remove(
        self, server: ServerConfig, session: str, address: str, executor: ToolExecutor, asking: Asking
    ) -> None:
        """Have a session watch a resource no longer; raises UpstreamError."""
        watch = self._watches.get(_key(server, session))
        if watch is None:
            return
        async with watch.one_at_a_time:
            _leave(watch, session, (address,))
            if address not in watch.watchers and address in watch.on(executor):
                watch.on(executor).discard(address)
                await executor.ask(UNSUBSCRIBE, {"uri": address}, asking)
        watch.changed.set()

    def session_ended(self, session: str) -> None:
        """Let go of all that a session watches."""
        self._ended.append(session)
        for watch in self._watches.values():
            _leave(watch, session, tuple(watch.watchers))
            watch.changed.set()

    def heard(self, server: ServerConfig, session: str, method: str, params: Message) -> None:
        """Take in what a server says unasked: that a resource changed, which somebody watches or nobody does."""
        watch, address = self._watches.get((server.name, session)), params.get("uri")
        if method != UPDATED or watch is None or not isinstance(address, str):
            return
        watched = _watched(watch, address)
        if watched is None:
            return
        if watched in watch.quiet:
            watch.quiet[watched] = True
            return
        self._tell(watch, watched)

    def _tell(self, watch: _Watch, address: str) -> None:
        watch.quiet[address] = False
        asyncio.get_running_loop().call_later(_QUIET_SECONDS, self._quiet_is_over, watch, address)
        for session in tuple(watch.watchers.get(address, ())):
            for listener in self._listeners:
                listener(session, watch.server.prefix, address)

    def _quiet_is_over(self, watch: _Watch, address: str) -> None:
        if watch.quiet.pop(address, False):
            self._tell(watch, address)

    async def _keep(self, watch: _Watch) -> None:
        """Hold a connection for as long as something is watched, and have the server know what."""
        failures = 0
        try:
            while watch.watchers and self._is_as_it_was(watch.server):
                with suppress(UpstreamError, Failure):
                    async with self._lender.lent(watch.server, watch.session) as executor:
                        await self._follow(watch, executor)
                        failures = 0
                if watch.watchers:
                    await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                    failures += 1
        finally:
            watch.keeping = None
            if not watch.one_at_a_time.locked():  # else somebody is about to watch something
                watch.watchers.clear()
                self._forget_if_empty(watch)

    async def _follow(self, watch: _Watch, executor: ToolExecutor) -> None:
        while executor.is_open and self._is_as_it_was(watch.server):
            async with watch.one_at_a_time:
                await self._settle(watch, executor)
            if not watch.watchers:
                return
            watch.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await watch.changed.wait()

    async def _settle(self, watch: _Watch, executor: ToolExecutor) -> None:
        """Make what is subscribed to over a connection what is watched."""
        asking = Asking(seconds=watch.server.start_seconds)
        for address in watch.on(executor) - watch.watchers.keys():
            watch.on(executor).discard(address)
            with suppress(UpstreamError):
                await executor.ask(UNSUBSCRIBE, {"uri": address}, asking)
        for address in watch.watchers.keys() - watch.on(executor):
            watch.on(executor).add(address)  # also if that fails: the server would refuse it each time
            with suppress(UpstreamError):
                await executor.ask(SUBSCRIBE, {"uri": address}, asking)
            self._tell(watch, address)  # it may have changed while nobody heard of it

    def _is_as_it_was(self, server: ServerConfig) -> bool:
        now = self._configured.all().get(server.name)
        return now is not None and now.enabled and now.identity == server.identity


def _key(server: ServerConfig, session: str) -> tuple[str, str]:
    return server.name, session if server.scope is Scope.SESSION else ""


def _leave(watch: _Watch, session: str, addresses: Iterable[str]) -> None:
    for address in addresses:
        if address in watch.watchers:
            watch.watchers[address].discard(session)
            if not watch.watchers[address]:
                del watch.watchers[address]


def _watched(watch: _Watch, address: str) -> str | None:
    """Return what is watched and has changed: the resource itself, or one that it is a part of."""
    part = address
    for _ in range(_MOST_LEVELS):
        if part in watch.watchers:
            return part
        if f"{part}/" in watch.watchers:
            return f"{part}/"
        part, slash, _rest = part.rpartition("/")
        if not slash:
            return None
    return None


def _too_many(message: str) -> Failure:
    return Failure(
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
        f"{message}; end the watching of others first.",
        boundary=Boundary.RUNTIME,
    )

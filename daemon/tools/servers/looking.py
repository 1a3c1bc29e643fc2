"""Looks at the tools of servers: when a connection is new, when the server says that its list has changed, and when
the last look was some time ago, because not every server says so.

A call is sent only over a connection whose list was compared with the pins. So a definition that changed between the
list and the call withholds the tool, and not the next call after it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from daemon.base.clock import Clock
from daemon.base.tasks import TaskSet
from daemon.core.failures import Failure
from daemon.tools.servers.failing import failure_of
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.news import News
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.scrubbing import clean_of, cleaned
from daemon.tools.servers.upstream.seam import Asking, Message, ToolExecutor, Trouble, UpstreamError
from daemon.tools.servers.values import ServerConfig

_TOOLS_CHANGED = "notifications/tools/list_changed"
_FIRST_SECONDS = 3.0
"""How long after the first look at a server began a list waits for it; what comes later is announced."""
_AGAIN_SECONDS = 10.0
"""How long after a look that failed nobody's listing begins another one."""

_LONGEST_HOLD_SECONDS = 3600.0
"""How long a server is believed at most that its list does not change."""

_PAUSE_SECONDS = 1.0
"""A server that says again and again that its list has changed is asked once in this time."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one connection was last seen to offer."""

    lists: int
    """How often the server's list had changed by then."""
    until: float
    """When it is time to look again."""


def holds_for(said: float, again_seconds: float) -> float:
    """Return for how long a look counts: the usual time, or longer if the server says that its list holds longer."""
    return max(again_seconds, min(said, _LONGEST_HOLD_SECONDS))


class Looks:
    """Which connections were looked at. All of it belongs to the event loop's thread."""

    def __init__(self, *, held: HeldServers, pins: Pins, clock: Clock, tasks: TaskSet, again_seconds: float) -> None:
        """Make one; a connection is looked at again `again_seconds` after the last look, before its next call."""
        self._pins = pins
        self._configured, self._lender, self._scrubber_of = held.configured, held.lender, held.scrubber_of
        self._clock = clock
        self._tasks = tasks
        self._again_seconds = again_seconds
        self._lists: defaultdict[str, int] = defaultdict(int)
        """How often a server's list has changed since the daemon started."""
        self._seen: WeakKeyDictionary[ToolExecutor, _Look] = WeakKeyDictionary()
        self._timed_out: WeakKeyDictionary[ToolExecutor, int] = WeakKeyDictionary()
        """How often the list of a connection did not come in time."""
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way: dict[str, tuple[asyncio.Task[None], float]] = {}
        """The looks in the background, by server, and when each began."""
        self._problems: dict[str, Failure] = {}
        self._failed_at: dict[str, float] = {}
        self._heard: dict[str, bool] = {}
        self._offers: dict[str, frozenset[str]] = {}
        self._news = News()
        self.version = 0
        """Becomes another number when a look begins or stops to fail."""

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield each time a look begins or stops to fail."""
        return self._news.changes()

    def offers(self, server: str) -> frozenset[str] | None:
        """Return what a server said that it offers, such as `resources`; None if it was not started yet."""
        return self._offers.get(server)

    def problem(self, server: str) -> Failure | None:
        """Return why the last look in the background failed, if it did."""
        return self._problems.get(server)

    async def current(self, server: ServerConfig, executor: ToolExecutor, *, anew: bool = False) -> None:
        """Return when the tools of a connection were compared with the pins; `anew`, when they were just now.

        Raises UpstreamError, or the Failure of a log that cannot be written.
        """
        if not anew and self._is_current(server, executor):
            return
        waited_for = self._timed_out.get(executor, 0)
        async with self._one_at_a_time[server.name]:
            if not anew and self._is_current(server, executor):
                return  # somebody else has looked meanwhile
            if self._timed_out.get(executor, 0) != waited_for:
                # Or has tried: those who waited do not wait once more, one after the other.
                raise UpstreamError(Trouble.TIMED_OUT, "its list of tools did not come in time")
            now = self._lists[server.name]
            said = await self._asked(server, executor)
            # A server may write into a description what was put into its environment.
            scrubber = self._scrubber_of(server.name)
            await self._pins.take(server, said if scrubber is None else clean_of(scrubber, said))
            holds = holds_for(executor.tools_hold_seconds, self._again_seconds)
            self._seen[executor] = _Look(now, self._clock.monotonic() + holds)
            self._offers[server.name] = frozenset(map(str, executor.hello.capabilities))

    async def _asked(self, server: ServerConfig, executor: ToolExecutor) -> Sequence[Message]:
        # A server that is at work answers when it has done that, as it would answer the call itself.
        seconds = server.call_seconds if executor in self._seen else server.start_seconds
        try:
            return await executor.tools(Asking(seconds=seconds))
        except UpstreamError as problem:
            if problem.trouble is Trouble.TIMED_OUT:
                self._timed_out[executor] = self._timed_out.get(executor, 0) + 1
            raise

    def _is_current(self, server: ServerConfig, executor: ToolExecutor) -> bool:
        look = self._seen.get(executor)
        return look is not None and look.lists == self._lists[server.name] and self._clock.monotonic() < look.until

    def heard(self, server: ServerConfig, session: str, method: str, _: Message) -> None:
        """Take in what a server says unasked, as far as it is about its tools."""
        if method == _TOOLS_CHANGED:
            self.list_changed(server, session)

    def list_changed(self, server: ServerConfig, session: str) -> None:
        """Take in that a server said that its list has changed: the next call waits for a look, and one begins."""
        if server.name in self._heard:
            self._heard[server.name] = True  # another look follows the pause
            return
        self._heard[server.name] = False
        self._lists[server.name] += 1
        self._tasks.start(self._follow(server, session), name=f"follow the tools of {server.name}")

    async def first(self, servers: Sequence[ServerConfig], session: str) -> None:
        """Look at servers that were never looked at, and wait for that a while.

        An agent that lists its tools once, when it starts, would otherwise miss all of them.
        """
        for server in servers:
            self.begin(server, session)
        now = self._clock.monotonic()
        looks = [self._under_way[server.name] for server in servers if server.name in self._under_way]
        rest = max((begun + _FIRST_SECONDS - now for _, begun in looks), default=0.0)
        if rest > 0:
            await asyncio.wait([task for task, _ in looks], timeout=rest)

    def begin(self, server: ServerConfig, session: str) -> None:
        """Look at a server in the background, unless that goes on already or has just failed."""
        now, failed = self._clock.monotonic(), self._failed_at.get(server.name)
        if server.name in self._under_way or (failed is not None and now - failed < _AGAIN_SECONDS):
            return
        task = self._tasks.start(self._look(server, session), name=f"look at the tools of {server.name}")
        self._under_way[server.name] = task, now

    async def _follow(self, server: ServerConfig, session: str) -> None:
        try:
            await self._try(server, session)
            await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            again = self._heard.pop(server.name, False)
        if again:
            self.list_changed(server, session)

    async def _look(self, server: ServerConfig, session: str) -> None:
        try:
            await self._try(server, session)
        finally:
            self._under_way.pop(server.name, None)

    async def _try(self, server: ServerConfig, session: str) -> None:
        if self._configured.all().get(server.name) != server or not server.enabled:
            return  # the person has changed it since, and what it was is not started for a look
        try:
            async with self._lender.lent(server, session) as executor:
                await self.current(server, executor)
        except UpstreamError as trouble:
            problem: Failure | None = cleaned(
                self._scrubber_of(server.name),
                failure_of(trouble, server=server.name, what="The list of its tools", sent=False, may_repeat=True),
            )
        except Failure as failure:
            problem = failure
        else:
            problem = None
        self._note(server.name, problem)

    def _note(self, server: str, problem: Failure | None) -> None:
        before = self._problems.pop(server, None)
        self._failed_at.pop(server, None)
        if problem is not None:
            self._problems[server] = problem
            self._failed_at[server] = self._clock.monotonic()
        if (None if before is None else before.message) != (None if problem is None else problem.message):
            self.version += 1
            self._news.tell()

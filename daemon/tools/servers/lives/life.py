"""The life of one process, or of one upstream session, of a server."""

import asyncio

import structlog

from daemon.base.clock import Clock
from daemon.base.tasks import TaskSet
from daemon.core.failures import Failure
from daemon.tools.servers.lives import refusals
from daemon.tools.servers.lives.opened import OpenServer, Running
from daemon.tools.servers.lives.pauses import Pauses
from daemon.tools.servers.lives.states import LastError, ServerState, State
from daemon.tools.servers.upstream.seam import Hello, Trouble, UpstreamError
from daemon.tools.servers.values import Mode, ServerConfig

_log = structlog.get_logger("daemon.servers")
_NOT_ITS_FAULT = frozenset({Trouble.UNAUTHORISED})
"""A person mends these, and then the next call should go through at once."""


class RetiredError(Exception):
    """Nothing is lent from this life any more; another one has taken its place."""


class Life:
    """One server for all sessions, or for one of them.

        stopped --a call--> starting --connected--> ready --nobody needs it, or a person stops it--> stopping
           ^                 |    |                  |                                                  |
           +--- called off --+    +---- failed ------+-- ended by itself                                |
           |                                         v                                                  |
           |                 starting <--a call-- failed, until its pause is over                       |
           +--------------------------------------------------------------------------------------------+

    A remote session that has expired is no failure: ready --expired--> stopped.
    A life that was retired lends nothing more, lets its calls end, and closes.
    """

    def __init__(
        self, config: ServerConfig, session: str, *, open_server: OpenServer, clock: Clock, tasks: TaskSet
    ) -> None:
        self.config = config
        self.session = session
        self._open_server = open_server
        self._clock = clock
        self._tasks = tasks
        self._pauses = Pauses()
        self._running: Running | None = None
        """What is lent."""
        self._open: set[Running] = set()
        """What is not closed yet: beside what is lent, what was replaced and still has calls."""
        self._opening: asyncio.Task[UpstreamError | Failure | None] | None = None
        self._waiting = 0
        self._stopping: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._retired = False
        self._hello: Hello | None = None
        self._last_error: LastError | None = None
        self._nothing_left = asyncio.Event()
        self._nothing_left.set()
        self.used_at = 0.0
        """When it was last needed."""

    @property
    def is_up(self) -> bool:
        """Say whether it has a process or an upstream session, or is just getting one."""
        return self._running is not None or self._opening is not None

    @property
    def is_idle(self) -> bool:
        """Say whether it runs, and nobody needs it."""
        return self._running is not None and self._running.calls == 0

    @property
    def is_resting(self) -> bool:
        """Say whether it is left alone after a failure."""
        return self._pauses.left(self._clock.monotonic()) > 0

    def state(self) -> ServerState:
        """Return in what state it is."""
        left = self._pauses.left(self._clock.monotonic())
        if self._running is not None:
            state = State.READY
        elif self._opening is not None:
            state = State.STARTING
        elif left:
            state = State.FAILED
        else:
            state = State.STOPPED if self._stopping is None else State.STOPPING
        running = self._running
        return ServerState(
            state=state,
            running=int(running is not None),
            calls=0 if running is None else running.calls,
            hello=self._hello,
            last_error=self._last_error,
            again_in_seconds=left if state is State.FAILED else 0.0,
        )

    async def take(self) -> Running:
        """Return the server with one more call, after starting it if need be: once, however many ask.

        Raises RetiredError, or the Failure or UpstreamError of a server that cannot be had.
        """
        while not self._retired:
            self.used_at = self._clock.monotonic()
            if self._running is not None and self._running.opened.executor.is_open:
                self._running.calls += 1
                return self._running
            if self._running is not None:
                self._lose(self._running)
            elif self.is_resting:
                left = self._pauses.left(self._clock.monotonic())
                raise refusals.resting(self.config.name, left, self._last_error)
            elif self._stopping is not None:
                await asyncio.wait({self._stopping})  # one process at a time
            else:
                await self._begin()
        raise RetiredError

    def give_back(self, running: Running) -> None:
        """Take note that one call has ended."""
        running.calls -= 1
        if running.calls == 0:
            if running.is_last:
                self._close(running)
            elif running is self._running:
                self._rest()

    def stop(self) -> None:
        """End everything now, whatever it does; the next call starts the server again."""
        if self._opening is not None:
            self._opening.cancel()
        running = self._let_go()
        for each in list(self._open):
            self._close(each)
        if running is not None and running.closing is not None:
            self._wait_for(running.closing)

    def forgive(self) -> None:
        """Forget its failures, so that the next call starts it."""
        self._pauses = Pauses()

    def retire(self) -> None:
        """Lend nothing more; what runs is closed when its calls are done."""
        self._retired = True
        if self._opening is not None:
            self._opening.cancel()
        running = self._let_go()
        if running is not None and running.calls == 0:
            self._close(running)

    async def ended(self) -> None:
        """Wait until nothing is left of it."""
        await self._nothing_left.wait()

    # Starting

    async def _begin(self) -> None:
        if self._opening is None:
            self._nothing_left.clear()
            self._opening = self._tasks.start(self._start(), name=f"start the server {self.config.name}")
            self._opening.add_done_callback(self._has_opened)
        opening = self._opening
        self._waiting += 1
        try:
            await asyncio.wait({opening})
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                if not opening.done():
                    opening.cancel()  # nobody wants it any more
                elif self.is_idle:
                    self._rest()  # unless the one that waited last takes it now
        if not opening.cancelled() and (problem := opening.result()) is not None:
            raise _another(problem)

    async def _start(self) -> UpstreamError | Failure | None:
        try:
            opened = await self._open_server(self.config, self.session)
        except (UpstreamError, Failure) as problem:
            self._note(problem.message)
            if isinstance(problem, UpstreamError) and problem.trouble not in _NOT_ITS_FAULT:
                self._pauses.failed(self._clock.monotonic())
            return problem
        self._hello = opened.executor.hello
        self._pauses.ready(self._clock.monotonic())
        running = self._running = Running(opened)
        self._open.add(running)
        running.following = self._tasks.start(self._follow(running), name=f"follow the server {self.config.name}")
        self._rest()
        return None

    def _has_opened(self, opening: "asyncio.Task[UpstreamError | Failure | None]") -> None:
        if self._opening is opening:
            self._opening = None
        self._look_whether_nothing_is_left()

    async def _follow(self, running: Running) -> None:
        await running.opened.over()
        if running is self._running:
            self._lose(running)
        if running.is_lost:
            # What was said at first is short: a process that left children takes a moment to end.
            self._note(await running.opened.why())

    # Ending

    def _lose(self, running: Running) -> None:
        """Take note that it ended by itself. Calls under way hear of it from the connection."""
        self._let_go()
        if self.config.mode is Mode.LOCAL:
            running.is_lost = True
            self._pauses.failed(self._clock.monotonic())
            self._note("It ended unexpectedly.")
        else:
            self._pauses.stopped(self._clock.monotonic())
        if running.calls == 0:
            self._close(running)

    def _let_go(self) -> Running | None:
        self._stay()
        running, self._running = self._running, None
        if running is not None:
            running.is_last = True
        return running

    def _rest(self) -> None:
        """Stop it after a while, unless somebody needs it before; who waited for its start comes first."""
        if self._waiting:
            return
        loop = asyncio.get_running_loop()
        self._idle_since = loop.time()
        if self._idle is None:  # one timer for many calls: it looks itself how long nobody has needed it
            self._idle = loop.call_later(self.config.idle_seconds, self._stop_if_idle)

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _stop_if_idle(self) -> None:
        self._idle = None
        if not self.is_idle:
            return
        loop = asyncio.get_running_loop()
        left = self._idle_since + self.config.idle_seconds - loop.time()
        if left > 0:
            self._idle = loop.call_later(left, self._stop_if_idle)
        else:
            self._pauses.stopped(self._clock.monotonic())
            self.stop()

    def _close(self, running: Running) -> None:
        if running.closing is None:
            running.closing = self._tasks.start(self._end(running), name=f"stop the server {self.config.name}")
            running.closing.add_done_callback(lambda _: self._has_closed(running))
            if running.is_lost:
                self._wait_for(running.closing)

    async def _end(self, running: Running) -> None:
        try:
            await running.opened.executor.close()
        except (OSError, UpstreamError) as problem:
            _log.warning("a server was not closed as it should be", server=self.config.name, problem=str(problem))

    def _has_closed(self, running: Running) -> None:
        if running.following is not None and not running.is_lost:
            running.following.cancel()
        self._open.discard(running)
        self._look_whether_nothing_is_left()

    def _wait_for(self, closing: "asyncio.Task[None]") -> None:
        """Let the next start wait for the end of a former process."""
        self._stopping = closing
        closing.add_done_callback(self._has_stopped)

    def _has_stopped(self, stopping: "asyncio.Task[None]") -> None:
        if self._stopping is stopping:
            self._stopping = None

    def _look_whether_nothing_is_left(self) -> None:
        if not self._open and self._opening is None:
            self._nothing_left.set()

    def _note(self, message: str) -> None:
        self._last_error = LastError(message=message, at_ms=self._clock.now_ms())


def _another(problem: UpstreamError | Failure) -> UpstreamError | Failure:
    """Return the same problem for one of several who wait: each raises one of its own."""
    return problem.with_details({}) if isinstance(problem, Failure) else problem.told()

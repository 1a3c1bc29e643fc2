"""The daemon as a process: one per home, from lock to clean end."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from starlette.types import ASGIApp

from daemon.base.clock import Clock, Entropy, SystemClock, rfc3339
from daemon.base.faults import FaultPoints, faults_from
from daemon.base.home import Home
from daemon.base.logging import Redactor, start_logging
from daemon.base.platform import bound_process, process_identity
from daemon.base.settings import Settings, load_settings
from daemon.lifecycle.bounds import agent_bounds, control_bounds
from daemon.lifecycle.discovery import Discovery, read_discovery, write_discovery
from daemon.lifecycle.listeners import Listener
from daemon.lifecycle.lock import FileLock
from daemon.lifecycle.ports import listen, remember
from daemon.version import VERSION

_log = structlog.get_logger("daemon")
_DRAIN_POLL_SECONDS = 0.02
_HANDOVER_SECONDS = 10.0
_COLLECT_AFTER = 10_000


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the two APIs of this machine are."""

    control: str
    agent: str


class RunningDaemon(Protocol):
    """What the composition root hands over."""

    @property
    def control_app(self) -> ASGIApp: ...
    @property
    def agent_app(self) -> ASGIApp: ...
    @property
    def token(self) -> str: ...

    def begin_drain(self) -> None:
        """Take no new runs."""
        ...

    def active_runs(self) -> int:
        """Count the runs under way."""
        ...

    async def close(self) -> None:
        """Stop everything."""
        ...


class Build(Protocol):
    """How the composition root is called."""

    def __call__(
        self,
        *,
        settings: Settings,
        home: Home,
        addresses: Addresses,
        clock: Clock,
        entropy: Entropy,
        faults: FaultPoints,
    ) -> Awaitable[RunningDaemon]:
        """Build every service; the sockets are bound already, and nothing is served yet."""
        ...


def run_daemon(home: Home, build: Build) -> int:
    """Be the daemon of a home until told to stop; return the exit code."""
    os.umask(0o077)
    bound_process()
    home.prepare()
    lock = FileLock(home.lock_path)
    if not _take(lock, home):
        return _say_who_runs(home, lock)
    try:
        settings = load_settings(home)
        redactor = Redactor()
        with (
            start_logging(home.log_path, level=settings.daemon.log_level, redactor=redactor),
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            runner.run(_serve(home, settings, build, redactor))
    finally:
        lock.release()
    return 0


def _say_who_runs(home: Home, lock: FileLock) -> int:
    found = read_discovery(home.discovery_path)
    if found is not None:
        sys.stdout.write(
            f"The daemon of {home.path} runs already (pid {found.pid}, {found.control_url}); nothing was started.\n"
        )
        return 0
    holder = lock.holder()
    who = "another process" if holder is None else f"process {holder}"
    end = (
        "" if holder is None else f" If it is a daemon that lost its {home.discovery_path.name}, end it: kill {holder}"
    )
    sys.stderr.write(f"The lock of {home.path} is held by {who}, but no daemon can be reached there.{end}\n")
    return 1


def _take(lock: FileLock, home: Home) -> bool:
    """Take the lock. If a daemon that is stopping holds it (its discovery file is gone already), wait for that one."""
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while not lock.acquire():
        if read_discovery(home.discovery_path) is not None or time.monotonic() >= deadline:
            return False
        time.sleep(_DRAIN_POLL_SECONDS)
    return True


async def _serve(home: Home, settings: Settings, build: Build, redactor: Redactor) -> None:
    clock = SystemClock()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_die, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # A file that names a dead daemon must not outlive the start of a new one.
    home.discovery_path.unlink(missing_ok=True)
    async with contextlib.AsyncExitStack() as open_things:
        # Everything is stopped in reverse order, even when a start fails half way: requests, services, the file.
        open_things.callback(home.discovery_path.unlink, missing_ok=True)
        control = listen(home.ports_path, name="control", wanted=settings.daemon.control_port, bounds=control_bounds())
        open_things.callback(control.close)
        for_agents = agent_bounds(settings.limits.agent_connections)
        agent = listen(home.ports_path, name="agent", wanted=settings.daemon.agent_port, bounds=for_agents)
        open_things.callback(agent.close)
        remember(home.ports_path, control=control.port, agent=agent.port)
        daemon = await build(
            settings=settings,
            home=home,
            addresses=Addresses(control=control.url, agent=agent.url),
            clock=clock,
            entropy=os.urandom,
            faults=faults_from(os.environ),
        )
        redactor.register(daemon.token)
        open_things.push_async_callback(daemon.close)
        open_things.push_async_callback(_stop_listeners, control, agent)
        _search_less_for_garbage()
        await control.start(daemon.control_app)
        await agent.start(daemon.agent_app)
        discovery = Discovery(
            pid=os.getpid(),
            identity=process_identity(os.getpid()) or "",
            control_url=control.url,
            agent_url=agent.url,
            token=daemon.token,
            version=VERSION,
            started_at=rfc3339(clock.now_ms()),
            home=str(home.path),
        )
        write_discovery(home.discovery_path, discovery)
        _log.info("started", control_url=control.url, agent_url=agent.url, pid=os.getpid(), version=VERSION)
        if sys.stdout.isatty():
            sys.stdout.write(f"The daemon of {home.path} listens on {control.url}. Ctrl-C stops it.\n")
        await stop.wait()
        _log.info("stopping", active_runs=daemon.active_runs())
        daemon.begin_drain()
        await _drain(daemon.active_runs, seconds=settings.daemon.drain_seconds)
    _log.info("stopped")


def _search_less_for_garbage() -> None:
    """Keep what a start has made out of every later search for garbage, and search less often.

    Runs make little garbage in cycles, and a search in the middle of one is time that somebody waits for. What garbage
    the imports themselves left stays: it is 0.2 MB, and to find it would take a tenth of the start.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    gc.enable()  # a start goes without (daemon/__main__.py)


async def _stop_listeners(*listeners: Listener) -> None:
    await asyncio.gather(*(listener.stop() for listener in listeners))


def _stop_or_die(stop: asyncio.Event) -> None:
    if stop.is_set():
        # Asked a second time, so the person does not want to wait. Runs under way are settled at the next start.
        os._exit(130)
    stop.set()


async def _drain(active: Callable[[], int], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while active() and time.monotonic() < deadline:  # noqa: ASYNC110 - runs end in many places, the stop waits in one
        await asyncio.sleep(_DRAIN_POLL_SECONDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not there on every platform

        return uvloop.new_event_loop
    return None

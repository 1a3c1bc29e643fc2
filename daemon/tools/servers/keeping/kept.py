"""One server that runs as a process: its input and output, its end, and how it is stopped."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import structlog

from daemon.base.tasks import TaskSet
from daemon.tools.servers.keeping.log import ServerLog
from daemon.tools.servers.upstream.pipes import Pipes

_log = structlog.get_logger("daemon.servers")
_STOP_SECONDS = 15.0
"""Longer than the guardian takes to end everything that can be ended."""
_RESUME_SECONDS = 1.0


class StartError(Exception):
    """A server's process could not be started: why."""


class Ends:
    """The descriptors between the daemon and one server: three pipes, and the socket of its guardian."""

    def __init__(self) -> None:
        opened: list[int] = []
        try:
            for _ in range(3):
                opened += os.pipe()
            self.control, theirs = socket.socketpair()
        except OSError:
            _close(opened)
            raise
        self._ours = [opened[1], opened[2], opened[4]]
        self._theirs = [opened[0], opened[3], opened[5], theirs.detach()]

    @property
    def theirs(self) -> tuple[int, ...]:
        """Return what the server and its guardian get."""
        return tuple(self._theirs)

    def take(self, which: int) -> int:
        """Return our end of its input (0), output (1) or error output (2); the caller closes it from now on."""
        taken, self._ours[which] = self._ours[which], -1
        return taken

    def close_theirs(self) -> None:
        """Close what they have by now."""
        _close(self._theirs)
        self._theirs = []

    def close_ours(self) -> None:
        """Close what nobody took."""
        _close([each for each in self._ours if each >= 0])
        self._ours = [-1, -1, -1]
        self.control.close()


class Kept:
    """A server's process. It runs from `begin` until `nothing_left` is done."""

    pid: int
    _guardian: int

    def __init__(self, ends: Ends, log: ServerLog, tasks: TaskSet) -> None:
        self._ends = ends
        self._log = log
        self._tasks = tasks
        self._closes: list[Callable[[], None]] = []
        self.has_begun = False
        self.over = asyncio.Event()
        """Set as soon as it can no longer be asked: it ended, or closed its output."""
        self.pipes = Pipes(at_end=self.over.set)
        self.nothing_left: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """Done when neither it nor any process that it started is left; how it ended, if that is known."""

    async def begin(self) -> None:
        """Connect to its ends and hear whether it was started; raises StartError or OSError."""
        self._closes.append(self.pipes.close)
        await self.pipes.read_from(self._ends.take(1))
        await self.pipes.write_to(self._ends.take(0))
        self._tasks.start(self._log.follow(self._ends.take(2)), name="follow the error output of a server")
        news, self._control = await asyncio.open_connection(sock=self._ends.control)
        self._closes.append(self._control.transport.abort)
        said = await _next(news)
        if "started" not in said:
            raise StartError(said.get("failed", "the process that holds the servers has ended"))
        self.pid, self._guardian = said["started"], said["guardian"]
        self.has_begun = True
        self._tasks.start(self._watch(news), name="follow the process of a server")

    def abandon(self) -> None:
        """Close every end, which also ends a server that is just being started."""
        for close in self._closes:
            close()
        self._ends.close_ours()

    async def stop(self) -> None:
        """End the server and every process that it started: by closing its input, then SIGTERM, then SIGKILL."""
        self.pipes.input.close()
        try:
            with contextlib.suppress(OSError, RuntimeError):
                self._control.write_eof()
            async with asyncio.timeout(_STOP_SECONDS):
                while not self.nothing_left.done():
                    await asyncio.wait({self.nothing_left}, timeout=_RESUME_SECONDS)
                    self._resume()
        except TimeoutError:
            _log.warning("a server left processes that could not be ended", pid=self.pid)
        finally:
            self.abandon()

    def _resume(self) -> None:
        """Let a guardian go on that somebody stopped, such as its server. It is there as long as something is left."""
        if not self.nothing_left.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._guardian, signal.SIGCONT)

    async def last_words(self) -> str:
        """Return how it ended and the last that it wrote to its error output, scrubbed; for who wonders why."""
        status = self.nothing_left.result() if self.nothing_left.done() else None
        ended = "" if status is None else f" {_how(status)}."
        said = await self._log.last_line()
        return f"{ended} The last it wrote: {said}" if said else ended

    async def _watch(self, news: asyncio.StreamReader) -> None:
        status: int | None = None
        try:
            status = (await _next(news)).get("ended")
        finally:
            self.over.set()
            if not self.nothing_left.done():
                self.nothing_left.set_result(status)


async def _next(news: asyncio.StreamReader) -> dict[str, Any]:
    """Return what the guardian says next; nothing if it was killed."""
    with contextlib.suppress(OSError, ValueError):
        if line := await news.readline():
            said: dict[str, Any] = json.loads(line)
            return said
    return {}


def _how(status: int) -> str:
    if status >= 0:
        return f"It ended with status {status}"
    try:
        return f"It was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"It was ended by signal {-status}"


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)

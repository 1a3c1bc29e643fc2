"""The keeper's process as the daemon sees it: started with the first server, and ended when none is left."""

import asyncio
import errno
import json
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from daemon.base.tasks import TaskSet
from daemon.tools.servers.keeping.kept import Ends, Kept, StartError
from daemon.tools.servers.keeping.log import ServerLog

_log = structlog.get_logger("daemon.servers")
_PROGRAM = Path(__file__).with_name("keeper.py")
GRACES = (0.5, 2.0)
"""How many seconds a server may take to end: by itself after its input was closed, and after SIGTERM."""
_END_SECONDS = 10.0


class Keeping:
    """Starts servers through the keeper. All of it belongs to the event loop's thread."""

    def __init__(self, tasks: TaskSet, *, graces: tuple[float, float] = GRACES) -> None:
        self._tasks = tasks
        self._graces = graces
        self._turn = asyncio.Lock()
        self._keeper: _Keeper | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._held = 0
        """How many servers are being started or run."""

    @property
    def pid(self) -> int | None:
        """Return the process id of the keeper, if one runs."""
        return None if self._keeper is None else self._keeper.process.pid

    async def start(self, command: Sequence[str], env: Mapping[str, str], folder: Path, log: ServerLog) -> Kept:
        """Start a server; raises StartError. One that is called off leaves no process."""
        said = {"command": list(command), "env": dict(env), "folder": str(folder), "graces": self._graces}
        body = json.dumps(said).encode()
        self._held += 1
        try:
            try:
                ends = Ends()
            except OSError as problem:
                raise _cannot(problem) from problem
            kept = Kept(ends, log, self._tasks)
            try:
                await self._hand_over(body, ends)
                await kept.begin()
            except OSError as problem:
                raise _cannot(problem) from problem
            finally:
                ends.close_theirs()
                if not kept.has_begun:
                    kept.abandon()
        except BaseException:
            self._gave_back()
            raise
        kept.nothing_left.add_done_callback(lambda _: self._gave_back())
        return kept

    async def close(self) -> None:
        """End the keeper, and with it every server."""
        self._let_go()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _hand_over(self, body: bytes, ends: Ends) -> None:
        async with self._turn:
            if self._keeper is None or not self._keeper.is_usable:
                await self._begin_anew()
            try:
                await self._usable().send(body, ends.theirs)
            except (BrokenPipeError, ConnectionResetError):
                # It was killed just now, and what it did not read starts nothing.
                await self._begin_anew()
                await self._usable().send(body, ends.theirs)
            ends.close_theirs()

    async def _begin_anew(self) -> None:
        if self._keeper is not None:
            _log.warning("the process that holds the servers ended; another one is started")
            self._let_go()
        self._keeper = await _Keeper.started()

    def _usable(self) -> "_Keeper":
        if self._keeper is None:  # everything was closed in the meantime
            raise OSError(errno.ESHUTDOWN, "the daemon stops")
        return self._keeper

    def _gave_back(self) -> None:
        self._held -= 1
        if self._held == 0:
            self._let_go()

    def _let_go(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            ending = self._tasks.start(keeper.close(), name="wait for the end of the process that holds the servers")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


def _cannot(problem: OSError) -> StartError:
    return StartError(f"its process cannot be made: {problem.strerror or problem}")


class _Keeper:
    """One process, and the socket that it reads requests from."""

    def __init__(self, process: Process, requests: socket.socket) -> None:
        self.process = process
        self._requests = requests

    @property
    def is_usable(self) -> bool:
        """Say whether a request can be sent."""
        return self.process.returncode is None and self._requests.fileno() >= 0

    @classmethod
    async def started(cls) -> "_Keeper":
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                ours.setblocking(False)
                # Nothing is in its arguments or its environment: everybody can read the ones, and it needs no others.
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", str(_PROGRAM)),
                    stdin=theirs.fileno(),
                    stdout=DEVNULL,
                    stderr=DEVNULL,
                    cwd="/",
                    env={},
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        return cls(process, ours)

    async def send(self, body: bytes, descriptors: Sequence[int]) -> None:
        """Send one request whole; one that is called off in the middle ends the keeper, which could not go on."""
        data = len(body).to_bytes(4, "big") + body
        sent = 0
        try:
            while not sent:
                try:
                    sent = socket.send_fds(self._requests, [data], list(descriptors))
                except BlockingIOError:
                    await asyncio.sleep(0.01)
            await asyncio.get_running_loop().sock_sendall(self._requests, data[sent:])
        except asyncio.CancelledError:
            if sent:
                self._requests.close()
            raise

    async def close(self) -> None:
        """Close its requests, which ends it when no server is left, and wait for its end."""
        self._requests.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self.process.wait()
        except TimeoutError:
            # Its guardians still wait for processes that nobody here can end, such as one of another user.
            _log.warning("the process that holds the servers has not ended", pid=self.process.pid)

"""The keeper's process as the daemon sees it: started with the first server, and ended when none is left."""

import asyncio
import contextlib
import errno
import json
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import deque
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
_ANSWERS = 4096
_TAKEN_SECONDS = 5.0
"""How long the keeper may take to read a request: far longer than it needs on a busy machine."""


class _NotTakenError(StartError):
    """The keeper ended before it read the request, so nothing was started."""


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
                kept = await self._begun(body, log)
            except _NotTakenError:
                kept = await self._begun(body, log)
        except BaseException:
            self._gave_back()
            raise
        kept.nothing_left.add_done_callback(lambda _: self._gave_back())
        return kept

    async def _begun(self, body: bytes, log: ServerLog) -> Kept:
        try:
            ends = Ends()
        except OSError as problem:
            raise _cannot(problem) from problem
        kept = Kept(ends, log, self._tasks)
        taken: asyncio.Future[bool] | None = None
        try:
            taken = await self._hand_over(body, ends)
            await kept.begin()
        except OSError as problem:
            raise _cannot(problem) from problem
        except StartError as problem:
            if taken is not None and not await asyncio.shield(taken):
                raise _NotTakenError(str(problem)) from problem
            raise
        finally:
            ends.close_theirs()
            if not kept.has_begun:
                kept.abandon()
        return kept

    async def close(self) -> None:
        """End the keeper, and with it every server."""
        self._let_go()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _hand_over(self, body: bytes, ends: Ends) -> "asyncio.Future[bool]":
        """Send a request; whether it was read becomes the result of what is returned."""
        async with self._turn:
            if self._keeper is None or not self._keeper.is_usable:
                await self._begin_anew()
            try:
                taken = await self._usable().send(body, ends.theirs)
            except (BrokenPipeError, ConnectionResetError):
                # It was killed just now, and what it did not read starts nothing.
                await self._begin_anew()
                taken = await self._usable().send(body, ends.theirs)
            ends.close_theirs()
        self._tasks.start(self._usable().mind(taken), name="see whether the process that holds the servers answers")
        return taken

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
        self._untaken: deque[asyncio.Future[bool]] = deque()
        """Requests that were sent and not yet read, the oldest first."""
        asyncio.get_running_loop().add_reader(requests, self._answered)

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

    async def send(self, body: bytes, descriptors: Sequence[int]) -> "asyncio.Future[bool]":
        """Send one request whole, and return what becomes true when it was read, and false if it never will be.

        One that is called off in the middle ends the keeper, which could not go on.
        """
        data = len(body).to_bytes(4, "big") + body
        sent = 0
        try:
            while not sent:
                try:
                    sent = socket.send_fds(self._requests, [data], list(descriptors))
                except BlockingIOError:
                    await asyncio.sleep(0.01)
            taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._untaken.append(taken)
            await asyncio.get_running_loop().sock_sendall(self._requests, data[sent:])
        except asyncio.CancelledError:
            if sent:
                self._hang_up()
            raise
        return taken

    async def mind(self, taken: "asyncio.Future[bool]") -> None:
        """Wait until a request was read. A keeper that was stopped is resumed, and one that hangs is killed.

        Its guardians end their servers then, and the calls of these hear of it.
        """
        for remedy in (signal.SIGCONT, signal.SIGKILL):
            await asyncio.wait({taken}, timeout=_TAKEN_SECONDS)
            if taken.done() or self.process.returncode is not None:
                return
            _log.warning("the process that holds the servers does not answer", sent=remedy.name)
            self.process.send_signal(remedy)

    async def close(self) -> None:
        """Close its requests, which ends it when no server is left, and wait for its end."""
        self._hang_up()
        try:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)  # if somebody stopped it, it would never end
            async with asyncio.timeout(_END_SECONDS):
                await self.process.wait()
        except TimeoutError:
            # Its guardians still wait for processes that nobody here can end, such as one of another user.
            _log.warning("the process that holds the servers has not ended", pid=self.process.pid)

    def _answered(self) -> None:
        try:
            read = self._requests.recv(_ANSWERS)
        except BlockingIOError:
            return
        except OSError:
            read = b""
        if not read:
            self._hang_up()
        for _ in read:
            self._untaken.popleft().set_result(True)

    def _hang_up(self) -> None:
        if self._requests.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._requests)
            self._requests.close()
        while self._untaken:
            self._untaken.popleft().set_result(False)

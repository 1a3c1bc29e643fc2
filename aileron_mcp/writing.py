"""Lines to a descriptor: at once where the system can promise that this does not wait, and else in a thread."""

import asyncio
import os
import select
import socket
import stat

_PROMISED = select.PIPE_BUF if hasattr(select, "PIPE_BUF") else 512
"""A pipe that is ready takes so many bytes whole, without waiting."""


class LineWriter:
    """Writes to one descriptor, which nobody else writes to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._last: asyncio.Task[None] | None = None
        """Writes the last line of those that had to wait; None if there are none."""
        mode = os.fstat(descriptor).st_mode
        self._socket = socket.socket(fileno=os.dup(descriptor)) if stat.S_ISSOCK(mode) else None
        self._ready: select.poll | None = None
        if stat.S_ISFIFO(mode):
            self._ready = select.poll()
            self._ready.register(descriptor, select.POLLOUT)

    async def write(self, line: bytes) -> None:
        """Write a line whole, after those that came before it. Raises OSError if nobody reads any more."""
        waiting = self.put(line)
        if waiting is not None:
            await asyncio.shield(waiting)  # a line that has begun is written to its end

    def put(self, line: bytes) -> "asyncio.Task[None] | None":
        """Write a line, after those that came before it; return the task that still does so, if it must wait.

        Raises OSError, or its task does, if nobody reads any more.
        """
        rest = line if self._last is not None else line[self._at_once(line) :]
        if not rest:
            return None
        task = self._last = asyncio.get_running_loop().create_task(self._later(self._last, rest))
        task.add_done_callback(self._is_done)
        return task

    async def close(self) -> None:
        """Let go of what was made here, after what is being written. The descriptor stays open: it is not ours."""
        if self._last is not None:
            await asyncio.wait((self._last,))
        if self._socket is not None:
            self._socket.close()

    async def _later(self, before: "asyncio.Task[None] | None", rest: bytes) -> None:
        if before is not None:
            await asyncio.wait((before,))
        await asyncio.get_running_loop().run_in_executor(None, self._write, rest)

    def _is_done(self, task: "asyncio.Task[None]") -> None:
        if self._last is task:
            self._last = None

    def _at_once(self, line: bytes) -> int:
        """Write what can be written without waiting; return how much that was."""
        if self._ready is not None and len(line) <= _PROMISED and self._ready.poll(0):
            return os.write(self._descriptor, line)
        if self._socket is not None:
            try:
                return self._socket.send(line, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return 0
        return 0

    def _write(self, rest: bytes) -> None:
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # who gave it has made it so
                select.select([], [self._descriptor], [])

"""The two pipes to a process that speaks over its standard input and output."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import cast

Came = Callable[[bytes], None]
Ended = Callable[[OSError | None], None]
"""Is told that no more will come, and why, if that is no plain end."""

_UNHEARD = 1 << 20
"""How much is kept for who will listen."""


def _nothing() -> None:
    return None


class Pipes:
    """What a process writes is handed to who listens, in the turn of the loop in which it is read.

    `at_end` is called as soon as nothing more will come. All of it belongs to the event loop's thread.
    """

    def __init__(self, *, at_end: Callable[[], None] = _nothing) -> None:
        self.output = _Output(at_end)
        self.input = _Input()

    async def read_from(self, descriptor: int) -> None:
        """Connect to the output of the process; the descriptor is closed with this, or if it fails."""
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: self.output, os.fdopen(descriptor, "rb", 0))

    async def write_to(self, descriptor: int) -> None:
        """Connect to the input of the process."""
        loop = asyncio.get_running_loop()
        await loop.connect_write_pipe(lambda: self.input, os.fdopen(descriptor, "wb", 0))

    def close(self) -> None:
        """Close both, without waiting for what was not read."""
        self.output.close()
        self.input.close()
        self.input.drop_unread()


class _Output(asyncio.Protocol):
    """What the process writes."""

    def __init__(self, at_end: Callable[[], None]) -> None:
        self._at_end = at_end
        self._transport: asyncio.ReadTransport | None = None
        self._came: Came = self._keep
        self._ended: Ended | None = None
        self._early = bytearray()
        self._over: tuple[OSError | None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._came(data)

    def eof_received(self) -> None:
        self._at_end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._at_end()
        self._over = (exc if isinstance(exc, OSError) else None,)
        if self._ended is not None:
            self._ended(*self._over)

    def listen(self, came: Came, ended: Ended) -> None:
        """Have everything handed over that comes, also what came before."""
        self._came, self._ended = came, ended
        early, self._early = bytes(self._early), bytearray()
        self.resume()
        if early:
            came(early)
        if self._over is not None:
            ended(*self._over)

    def pause(self) -> None:
        """Read no more until `resume`: the process waits when the pipe is full."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _keep(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > _UNHEARD:
            self.pause()


class _Input(asyncio.BaseProtocol):
    """What the process reads."""

    def __init__(self) -> None:
        self.is_full = False
        """Whether the process leaves so much unread that no more should be written."""
        self._transport: asyncio.WriteTransport | None = None
        self._lost: OSError | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        self._let_go()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc if isinstance(exc, OSError) else BrokenPipeError("the pipe was closed")
        self._let_go()

    @property
    def is_open(self) -> bool:
        """Say whether something can be written."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def unread(self) -> int:
        """Return how many bytes were written and are not in the pipe yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Write; what the pipe does not take is kept, so look at `is_full` before."""
        if self._transport is not None:
            self._transport.write(data)

    async def room(self) -> None:
        """Wait until the process has read on; raises OSError when it reads nothing any more."""
        while self.is_full and self._lost is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        if self._lost is not None:
            raise BrokenPipeError("the process reads nothing any more") from self._lost

    def close(self) -> None:
        """Close it when all is written, which asks the process to end."""
        if self._transport is not None:
            self._transport.close()

    def drop_unread(self) -> None:
        """Forget what the process did not read."""
        if self._transport is not None and self._transport.get_write_buffer_size():
            self._transport.abort()

    def _let_go(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

"""The transport over standard input and output: one message on each line."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from daemon.base.tasks import TaskSet
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.lines import Dropped, Lines
from daemon.tools.servers.upstream.messages import Unreadable, answered, decode, encode
from daemon.tools.servers.upstream.pace import Pace
from daemon.tools.servers.upstream.seam import Hello, Trouble, UpstreamError
from daemon.tools.servers.upstream.transport import Outgoing, Receiver

_READ_BYTES = 1 << 16
_UNREAD_BYTES = 1 << 20
"""Above this, what nobody waits for is not sent any more: the server does not read."""


class StdioTransport:
    """Speaks with a process over two streams. `stop`, if given, ends the process when the connection is closed."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        stop: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._stop = stop
        self._turn = asyncio.Lock()
        self._tasks = TaskSet()
        self._ended: str | None = None

    closing_calls_off = False

    @property
    def is_open(self) -> bool:
        """Say whether a message can still be sent."""
        return self._ended is None and not self._writer.is_closing()

    def open(self, receiver: Receiver, limits: Limits) -> None:
        """Begin to read."""
        self._tasks.start(self._read(receiver, limits), name="server-lines")

    async def carry(self, outgoing: Outgoing) -> None:
        """Write a message; waits first while the server does not read. Raises UpstreamError."""
        try:
            line = encode(outgoing.message) + b"\n"
        except (ValueError, TypeError, RecursionError) as error:
            raise UpstreamError(Trouble.NOT_REACHED, f"This cannot be written as JSON: {error}.") from error
        # One after the other: else all that wait would be let go together, and pile up in memory.
        async with self._turn:
            try:
                await self._writer.drain()
            except OSError as error:
                raise self._gone() from error
            if not self.is_open:
                raise self._gone()
            outgoing.left = True
            self._writer.write(line)

    def send_soon(self, outgoing: Outgoing) -> None:
        """Write a message, unless the server does not read."""
        if self.is_open and self._writer.transport.get_write_buffer_size() < _UNREAD_BYTES:
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                self._writer.write(encode(outgoing.message) + b"\n")

    def agreed(self, hello: Hello) -> None:
        """Do nothing: lines are the same in both eras."""

    async def close(self) -> None:
        """Close the server's input, which asks it to end; then stop it."""
        self._ended = self._ended or "The connection was closed."
        self._writer.close()
        try:
            if self._stop is not None:
                await self._stop()
        finally:
            if self._writer.transport.get_write_buffer_size():
                self._writer.transport.abort()  # what the server did not read is not kept for it
            await self._tasks.close()

    def _gone(self) -> UpstreamError:
        return UpstreamError(Trouble.NOT_REACHED, self._ended or "The server's process has ended.")

    async def _read(self, receiver: Receiver, limits: Limits) -> None:
        lines, pace = Lines(limits.message_bytes), Pace(limits.unasked_each_second)
        why = "The server's process ended, or closed its output."
        try:
            while data := await self._reader.read(_READ_BYTES):
                if lines.is_dropping:
                    pace.dropped(len(data))
                for line in lines.feed(data, blank=True):
                    pace.unasked(_hand_over(line, receiver))
                    if pace.is_over:
                        await pace.rest()
                await pace.rest()
        except OSError as error:
            why = f"The server's output could not be read: {error}."
        finally:
            self._ended = self._ended or why
            receiver.ended(self._ended)


def _hand_over(line: bytes | Dropped, receiver: Receiver) -> int:
    """Give a line to the receiver; return how much there was in it that nobody had asked for."""
    if isinstance(line, Dropped):
        receiver.unreadable("it wrote a line that is too long", answered(line.head, line.tail))
        return 1
    if not line or line.isspace():
        return 1
    messages = decode(line)
    if isinstance(messages, Unreadable):
        receiver.unreadable(messages.what, messages.answers)
        return 1
    return sum(not receiver.received(message) for message in messages)

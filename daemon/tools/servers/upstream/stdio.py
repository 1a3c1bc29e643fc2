"""The transport over standard input and output: one message on each line."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.lines import Dropped, Lines
from daemon.tools.servers.upstream.messages import Unreadable, answered, decode, encode
from daemon.tools.servers.upstream.pace import Pace
from daemon.tools.servers.upstream.pipes import Pipes
from daemon.tools.servers.upstream.seam import Hello, Trouble, UpstreamError
from daemon.tools.servers.upstream.transport import Outgoing, Receiver

_UNREAD_BYTES = 1 << 20
"""Above this, what nobody waits for is not sent any more: the server does not read."""


class StdioTransport:
    """Speaks with a process over its pipes. `stop`, if given, ends the process when the connection is closed."""

    def __init__(self, pipes: Pipes, *, stop: Callable[[], Awaitable[None]] | None = None) -> None:
        self._pipes = pipes
        self._stop = stop
        self._turn = asyncio.Lock()
        self._reading: _Reading | None = None
        self._ended: str | None = None

    closing_calls_off = False
    has_headers = False

    @property
    def is_open(self) -> bool:
        """Say whether a message can still be sent."""
        return self._ended is None and self._pipes.input.is_open

    def open(self, receiver: Receiver, limits: Limits) -> None:
        """Begin to read."""

        def ended(why: str) -> None:
            self._ended = self._ended or why
            receiver.ended(self._ended)

        self._reading = _Reading(self._pipes, receiver, limits, ended)

    async def carry(self, outgoing: Outgoing) -> None:
        """Write a message; waits first while the server does not read. Raises UpstreamError."""
        into = self._pipes.input
        try:
            line = encode(outgoing.message) + b"\n"
        except (ValueError, TypeError, RecursionError) as error:
            raise UpstreamError(Trouble.NOT_REACHED, f"This cannot be written as JSON: {error}.") from error
        if into.is_full or self._turn.locked():
            # One after the other: else all that wait would be let go together, and pile up in memory.
            async with self._turn:
                try:
                    await into.room()
                except OSError as error:
                    raise self._gone() from error
                self._write(outgoing, line)
        else:
            self._write(outgoing, line)

    def send_soon(self, outgoing: Outgoing) -> None:
        """Write a message, unless the server does not read."""
        if self.is_open and self._pipes.input.unread < _UNREAD_BYTES:
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                self._pipes.input.write(encode(outgoing.message) + b"\n")

    def agreed(self, hello: Hello) -> None:
        """Do nothing: lines are the same in both eras."""

    async def close(self) -> None:
        """Close the server's input, which asks it to end; then stop it."""
        self._ended = self._ended or "The connection was closed."
        self._pipes.input.close()
        try:
            if self._stop is not None:
                await self._stop()
        finally:
            self._pipes.input.drop_unread()
            if self._reading is not None:
                self._reading.end(self._ended)

    def _write(self, outgoing: Outgoing, line: bytes) -> None:
        if not self.is_open:
            raise self._gone()
        outgoing.left = True
        self._pipes.input.write(line)

    def _gone(self) -> UpstreamError:
        return UpstreamError(Trouble.NOT_REACHED, self._ended or "The server's process has ended.")


class _Reading:
    """Takes what a server writes apart into lines, and hands each to the receiver when it is read.

    reading --too much unasked--> resting, with the pipe left full --the second is over--> reading
       `-- the output ended, or the connection --> ended
    """

    def __init__(self, pipes: Pipes, receiver: Receiver, limits: Limits, ended: Callable[[str], None]) -> None:
        self._output = pipes.output
        self._receiver = receiver
        self._lines = Lines(limits.message_bytes)
        self._pace = Pace(limits.unasked_each_second)
        self._coming: Iterator[bytes | Dropped] = iter(())
        self._resting: asyncio.TimerHandle | None = None
        self._ended: Callable[[str], None] | None = ended
        pipes.output.listen(self._came, self._output_ended)

    def end(self, why: str) -> None:
        """Hand over nothing more, and say once that it is over."""
        if self._resting is not None:
            self._resting.cancel()
        self._coming = iter(())
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(why)

    def _output_ended(self, problem: OSError | None) -> None:
        if problem is None:
            self.end("The server's process ended, or closed its output.")
        else:
            self.end(f"The server's output could not be read: {problem}.")

    def _came(self, data: bytes) -> None:
        if self._ended is None:
            return
        lines = self._lines
        if lines.is_dropping:
            self._pace.dropped(len(data))
        self._coming = lines.feed(data, blank=True)
        self._hand_on()

    def _hand_on(self) -> None:
        """Hand on the lines that are here, or as many of them as the pace allows."""
        try:
            for line in self._coming:
                unasked = _hand_over(line, self._receiver)
                if unasked:
                    self._pace.unasked(unasked)
                    if self._pace.is_over and self._rests():
                        return
        except Exception:
            self.end("What the server wrote could not be taken in.")  # a defect of ours: else its calls would hang
            raise
        if self._pace.count:
            self._rests()

    def _rests(self) -> bool:
        """Rest until the second is over, if too much came in it; say whether that is so."""
        rest = self._pace.rest_seconds()
        if rest > 0:
            self._output.pause()
            self._resting = asyncio.get_running_loop().call_later(rest, self._go_on)
        return rest > 0

    def _go_on(self) -> None:
        self._resting = None
        self._hand_on()
        if self._resting is None:
            self._output.resume()


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
    unasked = 0
    for message in messages:
        if not receiver.received(message):
            unasked += 1
    return unasked

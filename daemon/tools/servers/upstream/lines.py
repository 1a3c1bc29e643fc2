"""Takes a stream of bytes apart into lines, without ever holding a line that is too long: pure."""

from collections.abc import Iterator
from dataclasses import dataclass

_KEPT_BYTES = 512
"""How much of both ends of a dropped line is kept, to find out which request it answers."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that was too long."""

    size: int
    head: bytes
    tail: bytes


class Lines:
    """Holds the beginning of the line that is coming.

    a line comes --its end--> given out, the next line comes
          |
          +--too long--> its bytes are dropped --its end--> a Dropped is given out, the next line comes
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self.is_dropping = False
        """Whether the line that is coming is thrown away."""
        self._head = b""
        self._tail = b""
        self._dropped = 0

    def feed(self, data: bytes, *, blank: bool = False) -> Iterator[bytes | Dropped]:
        """Take bytes; give out the lines that are complete with them, and empty ones only if they are wanted."""
        if not self.is_dropping and not self._held:
            # The usual case: what came are whole lines.
            *whole, rest = data.split(b"\n")
        else:
            first, end, more = data.partition(b"\n")
            self._take(first)
            if not end:
                return
            yield self._finish()
            *whole, rest = more.split(b"\n")
        for line in whole:
            if len(line) > self._limit:
                yield Dropped(len(line), line[:_KEPT_BYTES], line[-_KEPT_BYTES:])
            elif blank or line:
                yield line
        if rest:
            self._take(rest)

    def _take(self, data: bytes) -> None:
        if not self.is_dropping:
            self._held += data
            if len(self._held) <= self._limit:
                return
            self.is_dropping = True
            data = bytes(self._held)
            self._head = data[:_KEPT_BYTES]
            self._held = bytearray()
        self._dropped += len(data)
        self._tail = (self._tail + data[-_KEPT_BYTES:])[-_KEPT_BYTES:]

    def _finish(self) -> bytes | Dropped:
        if not self.is_dropping:
            line, self._held = bytes(self._held), bytearray()
            return line
        dropped = Dropped(self._dropped, self._head, self._tail)
        self.is_dropping = False
        self._head, self._tail, self._dropped = b"", b"", 0
        return dropped

"""Lines from a descriptor, as they come: without a thread where the system can say when there is something to read."""

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable

_PIECE = 64 * 1024
_MOST_LINES = 64
_MOST_BYTES = 1024 * 1024
"""So much is read ahead; it is read on when there is room again."""
_KEPT_BYTES = 1024 * 1024


class Splitter:
    """Cuts what is read into lines; of one that is too long, so much of both ends is kept that it still is."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._last = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """Take a piece; return the lines that it completes."""
        end = piece.find(b"\n") + 1
        if end and end == len(piece) and not self._begun:
            return [piece]  # nearly every piece is one whole line
        *ends, rest = piece.split(b"\n")
        lines = [self._complete(end) for end in ends]
        self._keep(rest)
        return lines

    def rest(self) -> bytes:
        """Return what came after the last line."""
        return bytes(self._begun + self._last)

    def _complete(self, end: bytes) -> bytes:
        if not self._begun:
            return end + b"\n"
        self._keep(end)
        line = bytes(self._begun + self._last + b"\n")
        self._begun.clear()
        self._last.clear()
        return line

    def _keep(self, part: bytes) -> None:
        room = self._longest + 1 - len(self._begun)
        self._begun += part[:room]
        self._last += part[room:]
        del self._last[:-_KEPT_BYTES]


class LineReader:
    """The lines of one descriptor, which nobody else reads.

    A line that `at_once` takes, which is when it returns True, is not one of those that `next` returns. It is asked as
    the line comes, and only if no earlier line waits.
    """

    def __init__(self, descriptor: int, *, longest: int, at_once: Callable[[bytes], bool] | None = None) -> None:
        self._descriptor = descriptor
        self._at_once = at_once
        self._splitter = Splitter(longest)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._ended = False
        self._watched = False
        self._may_read: threading.Event | None = None
        """Set when the thread may read on, if there is one."""
        try:
            self._watch()
        except OSError:  # a file: the system says of it only that it is always ready
            self._may_read = threading.Event()
            threading.Thread(target=self._read_on, args=(self._may_read,), name="read lines", daemon=True).start()

    async def next(self) -> bytes | None:
        """Return the next line with its end; what comes after the last end is a line, too. None: there are no more."""
        while not self._waiting:
            if self._ended:
                return None
            self._news.clear()
            await self._news.wait()
        line = self._waiting.popleft()
        self._size -= len(line)
        self._go_on()
        return line

    def close(self) -> None:
        """Read no more; what was read is still returned."""
        self._ended = True
        if self._watched:
            self._loop.remove_reader(self._descriptor)
            self._watched = False
        self._news.set()

    def _go_on(self) -> None:
        """Have more read, if there is room for it."""
        if self._ended or self._is_full():
            return
        if self._may_read is not None:
            self._may_read.set()
        elif not self._watched:
            self._watch()

    def _is_full(self) -> bool:
        return self._size > _MOST_BYTES or len(self._waiting) >= _MOST_LINES

    def _watch(self) -> None:
        # uvloop makes the descriptor one that does not wait. Others may share it, such as a shell its terminal.
        waits = os.get_blocking(self._descriptor)
        try:
            self._loop.add_reader(self._descriptor, self._readable)
        finally:
            os.set_blocking(self._descriptor, waits)
        self._watched = True

    def _readable(self) -> None:
        try:
            piece = self._read()
        except BlockingIOError:  # who gave it has made it so, and there is nothing after all
            return
        self._take(piece)
        if self._ended or (self._waiting and self._is_full()):
            self._loop.remove_reader(self._descriptor)
            self._watched = False

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            raise
        except OSError:  # such as a terminal that has gone
            return b""

    def _take(self, piece: bytes) -> None:
        if piece:
            lines = self._splitter.feed(piece)
        else:
            self._ended, rest = True, self._splitter.rest()
            lines = [rest] if rest else []
        for line in lines:
            if self._waiting or self._at_once is None or len(line) > _MOST_BYTES or not self._at_once(line):
                self._waiting.append(line)
                self._size += len(line)
        if self._waiting or self._ended:
            self._news.set()

    def _read_on(self, may_read: threading.Event) -> None:
        def taken(piece: bytes) -> None:
            self._take(piece)
            self._go_on()

        piece = b"first"
        while piece:
            may_read.clear()
            piece = self._read()
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it this process
                self._loop.call_soon_threadsafe(taken, piece)
                may_read.wait()

"""Takes a stream of server-sent events apart: pure, and never holds an event that is too long."""

from collections.abc import Iterator
from dataclasses import dataclass

from daemon.tools.servers.upstream.lines import Dropped, Lines

_LONGEST_RETRY_MS = 30_000
_LONGEST_ID = 4096
_LINE_COSTS = 32
"""What a line takes in memory besides its bytes."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its data, as one text."""

    data: bytes
    name: str = "message"


class Events:
    """Holds the event that is coming, and what the stream said about being resumed."""

    def __init__(self, limit: int) -> None:
        self.last_id: str | None = None
        """The id of the last event that had one, to ask for what came after it."""
        self.retry_seconds: float | None = None
        self._limit = limit
        self._lines = Lines(limit)
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""
        self._too_long = False
        self._id: str | None = None
        self._began = True
        self._lines_taken = 0
        self._after_return = False

    def feed(self, data: bytes) -> Iterator[Event | Dropped]:
        """Take bytes; give out the events that are complete with them."""
        for line in self._lines.feed(self._with_plain_ends(data), blank=True):
            self._lines_taken += 1
            if isinstance(line, Dropped):
                self._size += line.size
                self._too_long = True
            elif line:
                self._field(line)
            elif (event := self._finish()) is not None:
                yield event

    def lines_taken(self) -> int:
        """Return how many lines came since this was asked the last time."""
        taken, self._lines_taken = self._lines_taken, 0
        return taken

    @property
    def is_dropping(self) -> bool:
        """Say whether what is coming is thrown away."""
        return self._too_long or self._lines.is_dropping

    def _with_plain_ends(self, data: bytes) -> bytes:
        """Make every end of a line a plain one: CR and LF, CR alone, or LF alone; also where the two come apart."""
        if self._began:
            self._began = False
            data = data.removeprefix(_BYTE_ORDER_MARK)
        if self._after_return:
            data = data.removeprefix(b"\n")
            self._after_return = False
        if b"\r" not in data:
            return data
        self._after_return = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value) + _LINE_COSTS
            if self._size > self._limit:
                self._too_long = True
                self._data = []
            elif not self._too_long:
                self._data.append(value)
        elif name == b"id" and len(value) <= _LONGEST_ID and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"event":
            self._name = value[:100]
        elif name == b"retry" and value.isdigit():
            self.retry_seconds = min(int(value[:9]), _LONGEST_RETRY_MS) / 1000

    def _finish(self) -> Event | Dropped | None:
        data, size, name, too_long = self._data, self._size, self._name, self._too_long
        self._data, self._size, self._name, self._too_long = [], 0, b"", False
        if self._id is not None:
            self.last_id = self._id or None
        if too_long:
            return Dropped(size, b"", b"")
        text = b"\n".join(data)
        return Event(text, name.decode("utf-8", "replace") or "message") if text else None

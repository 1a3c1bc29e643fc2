"""Keeps what was cut off from results, so that an agent can read on: for its session only, and in bounded memory."""

from dataclasses import dataclass

from daemon.base.clock import Entropy
from daemon.core.failures import Boundary, Failure, FailureClass

MAX_SESSION = 16 * 1024 * 1024
MAX_TOTAL = 4 * MAX_SESSION
"""Characters. Above it the oldest rest of the session that holds the most goes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a rest."""

    text: str
    next_offset: int | None
    """Where to read on; None at the end."""
    size: int
    """How long the whole rest is."""


class Rests:
    """Rests by session and handle, the oldest first. All of it belongs to the event loop's thread."""

    def __init__(self, *, entropy: Entropy) -> None:
        self._entropy = entropy
        self._kept: dict[str, dict[str, str]] = {}

    def keep(self, session: str, rest: str) -> str | None:
        """Keep a rest and return its handle; None for one that is larger than all that a session may keep."""
        if len(rest) > MAX_SESSION:
            return None
        while self._held(session) + len(rest) > MAX_SESSION:
            self._drop_oldest(session)
        while sum(map(self._held, self._kept)) + len(rest) > MAX_TOTAL:
            self._drop_oldest(max(self._kept, key=self._held))
        handle = f"res_{self._entropy(9).hex()}"
        self._kept.setdefault(session, {})[handle] = rest
        return handle

    def read(self, session: str, handle: str, *, offset: int, size: int) -> Piece:
        """Return a part of a rest of this session. Raises the Failure that says that there is none."""
        rest = self._kept.get(session, {}).get(handle)
        if rest is None:
            raise Failure(
                FailureClass.NOT_FOUND,
                f"There is nothing to read on with the handle {handle[:40]!r}: it is not one of this session, or newer "
                "results have taken its place. Ask for less at once.",
                boundary=Boundary.ACTION,
            )
        end = offset + size
        return Piece(rest[offset:end], end if end < len(rest) else None, len(rest))

    def session_ended(self, session: str) -> None:
        """Drop what a session had."""
        self._kept.pop(session, None)

    def _held(self, session: str) -> int:
        return sum(map(len, self._kept.get(session, {}).values()))

    def _drop_oldest(self, session: str) -> None:
        rests = self._kept[session]
        del rests[next(iter(rests))]
        if not rests:
            del self._kept[session]

"""Sharing between sessions: who goes next, and how much of a bounded resource one of them may hold.

A session is a key here. The empty key stands for the daemon's own work and for the person at the terminal.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Rank(IntEnum):
    """In which order the waiting items of one session go; between sessions, ranks mean nothing."""

    RESUMED = 0
    """A guest that has its answer: it holds memory and a thread until it goes on."""
    BEGUN = 1
    """A later step of a run that has begun: an effect may be half done."""
    APPROVED = 2
    """A person said yes to it."""
    NEW = 3


class FairQueue(Generic[T]):
    """Waiting items by session. Sessions take turns; within one, the lowest rank goes first, then who came first."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, dict[Rank, deque[T]]] = OrderedDict()
        self.size = 0
        """How many items wait, of all sessions."""

    def waiting(self, key: str) -> int:
        """Count the waiting items of one session."""
        return sum(map(len, self._lanes.get(key, {}).values()))

    def put(self, key: str, item: T, *, rank: Rank) -> None:
        """Let an item wait; a session that had none waiting comes after all that have."""
        self._lanes.setdefault(key, {}).setdefault(rank, deque()).append(item)
        self.size += 1

    def remove(self, key: str, item: T) -> bool:
        """Take an item out, wherever it stands; False when it does not wait any more."""
        for rank, lane in self._lanes.get(key, {}).items():
            if item in lane:
                lane.remove(item)
                self._forget_if_empty(key, rank)
                return True
        return False

    def take(self, may_go: Callable[[str, T], bool]) -> tuple[str, T] | None:
        """Return the next item that may go with its session, which comes after the others now; None when none may.

        Only the first item of each session is asked about: a session's own order is never changed.
        """
        for key, lanes in self._lanes.items():
            rank = min(lanes)
            if may_go(key, lanes[rank][0]):
                item = lanes[rank].popleft()
                self._lanes.move_to_end(key)
                self._forget_if_empty(key, rank)
                return key, item
        return None

    def _forget_if_empty(self, key: str, rank: Rank) -> None:
        self.size -= 1
        lanes = self._lanes[key]
        if not lanes[rank]:
            del lanes[rank]
        if not lanes:
            del self._lanes[key]


class Shares:
    """Counts what each session holds of a resource, and says who may take one more.

    One session holds at most half. What is nearly used up is kept for sessions that hold nothing: several sessions
    that take all they can do not keep a new one from its first.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.most = max(1, total // 2)
        """How many one session may hold."""
        self._kept = max(1, total // 8)
        self._held: dict[str, int] = {}
        self._used = 0

    @property
    def used(self) -> int:
        """Count what all sessions hold together."""
        return self._used

    def held(self, key: str) -> int:
        """Count what one session holds."""
        return self._held.get(key, 0)

    def may_take(self, key: str) -> bool:
        """Say whether a session may have one more now."""
        held, free = self._held.get(key, 0), self.total - self._used
        return free > 0 if held == 0 else held < self.most and free > self._kept

    def take(self, key: str) -> None:
        """Note that a session has one more; the caller has asked, or has a reason to go beyond the bound."""
        self._held[key] = self._held.get(key, 0) + 1
        self._used += 1

    def give_back(self, key: str) -> None:
        """Note that a session has one less."""
        left = self._held[key] - 1
        if left:
            self._held[key] = left
        else:
            del self._held[key]
        self._used -= 1

"""The memory that large answers may take: one sum for all calls, shared between sessions.

An answer of 10 KB can unpack to 10 MB, and any number of calls may wait for one at the same time. So an answer that is
not small waits here until enough memory is free, before it is read or unpacked. Small answers never wait.
"""

import asyncio
import ctypes
from collections import OrderedDict, deque
from dataclasses import dataclass

SMALL_BYTES = 128 * 1024
"""An answer of up to this size is not counted."""

_M_MMAP_THRESHOLD = -3


@dataclass(slots=True, eq=False)
class _Waiting:
    amount: int
    granted: asyncio.Future[None]


class AnswerMemory:
    """Counts the bytes that are held, in all and by session. It belongs to one event loop."""

    def __init__(self, *, total_bytes: int) -> None:
        self._total = total_bytes
        # One session gets half at most, so that it cannot keep the large answers of all others waiting.
        self._share = total_bytes // 2
        self._held = 0
        self._held_by: dict[str, int] = {}
        self._waiting: OrderedDict[str, deque[_Waiting]] = OrderedDict()

    @property
    def held(self) -> int:
        """Return how many bytes are held now."""
        return self._held

    async def take(self, owner: str, amount: int) -> None:
        """Wait until this many bytes are free; they are at most an owner's share."""
        if self._fits(owner, amount) and not self._waiting:
            self._grant(owner, amount)
            return
        entry = _Waiting(amount, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(owner, deque()).append(entry)
        self._serve()
        try:
            await entry.granted
        except asyncio.CancelledError:
            if entry.granted.done() and not entry.granted.cancelled():
                self.give_back(owner, amount)
            else:
                self._forget(owner, entry)
            raise

    def give_back(self, owner: str, amount: int) -> None:
        """Give bytes back, and serve those who wait."""
        self._held -= amount
        left = self._held_by[owner] - amount
        if left:
            self._held_by[owner] = left
        else:
            del self._held_by[owner]
        self._serve()

    def _fits(self, owner: str, amount: int) -> bool:
        return self._held + amount <= self._total and self._held_by.get(owner, 0) + amount <= self._share

    def _grant(self, owner: str, amount: int) -> None:
        self._held += amount
        self._held_by[owner] = self._held_by.get(owner, 0) + amount

    def _serve(self) -> None:
        """Serve those whose amount is free, one of each owner in turn."""
        served = True
        while served:
            served = False
            for owner in list(self._waiting):
                queue = self._waiting[owner]
                if not self._fits(owner, queue[0].amount):
                    continue
                entry = queue.popleft()
                self._waiting.move_to_end(owner)
                if not queue:
                    del self._waiting[owner]
                if not entry.granted.done():
                    self._grant(owner, entry.amount)
                    entry.granted.set_result(None)
                served = True
                break

    def _forget(self, owner: str, entry: _Waiting) -> None:
        queue = self._waiting.get(owner)
        if queue is not None and entry in queue:
            queue.remove(entry)
            if not queue:
                del self._waiting[owner]
            self._serve()


class HeldMemory:
    """The bytes that one call holds, for one answer at a time."""

    def __init__(self, memory: AnswerMemory, owner: str) -> None:
        self._memory = memory
        self._owner = owner
        self._amount = 0

    async def hold(self, amount: int) -> None:
        """Wait for the memory of an answer of this size, unless it is a small one, or some is held already."""
        if amount > SMALL_BYTES and not self._amount:
            await self._memory.take(self._owner, amount)
            self._amount = amount

    def shrink_to(self, amount: int) -> None:
        """Keep no more than the answer has turned out to need."""
        spare = self._amount - amount
        if spare > 0:
            self._amount -= spare
            self._memory.give_back(self._owner, spare)

    def release(self) -> None:
        """Hold nothing more."""
        self.shrink_to(0)


def return_freed_memory() -> None:
    """Have the allocator give large blocks back to the system as soon as they are free.

    By default, glibc keeps freed blocks of up to 32 MiB, in one heap for each thread. After a burst of large answers,
    the daemon kept a gigabyte. On systems without this setting, nothing is done.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, SMALL_BYTES)
    except (OSError, AttributeError):
        return

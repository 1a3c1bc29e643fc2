"""Tells whoever is waiting that an approval has moved on; holds nothing that a restart could lose."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from daemon.approvals.record import Approval

_QUEUE = 256


class ApprovalFeed:
    """Fans changes out to waiters of one approval and to listeners of all of them."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listeners: set[asyncio.Queue[Approval]] = set()
        self._told: dict[object, Callable[[Approval], None]] = {}

    def publish(self, approval: Approval) -> None:
        """Announce an approval in its new state."""
        for event in self._waiters.get(approval.id, ()):
            event.set()
        for queue in self._listeners:
            if queue.full():
                # A listener that does not read loses the oldest news; each item is a whole record.
                queue.get_nowait()
            queue.put_nowait(approval)
        for listener in list(self._told.values()):
            listener(approval)

    @contextmanager
    def telling(self, listener: Callable[[Approval], None]) -> Iterator[None]:
        """Call a listener at every change from now on; it must neither wait nor raise."""
        key = object()
        self._told[key] = listener
        try:
            yield
        finally:
            del self._told[key]

    @asynccontextmanager
    async def change_of(self, approval_id: str) -> AsyncIterator[asyncio.Event]:
        """Yield an event that is set at the next change; enter before reading the state, so that none is missed."""
        event = asyncio.Event()
        self._waiters[approval_id].add(event)
        try:
            yield event
        finally:
            self._waiters[approval_id].discard(event)
            if not self._waiters[approval_id]:
                del self._waiters[approval_id]

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Queue[Approval]]:
        """Yield a queue of every change from now on."""
        queue: asyncio.Queue[Approval] = asyncio.Queue(_QUEUE)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

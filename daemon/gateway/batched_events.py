"""Writes finished requests into the audit log, those of 20 ms together, so that no agent waits for the disk."""

import asyncio
from collections import deque

import structlog

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.failures import Failure

_GATHER_SECONDS = 0.02
_RETRY_SECONDS = 1.0
_MAX_WAITING = 10_000

_log = structlog.get_logger("gateway")


class BatchedEvents:
    """Holds the events that are not yet written."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._waiting: deque[AuditEvent] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def note(self, event: AuditEvent) -> None:
        """Take an event, to be written with the next batch."""
        self._waiting.append(event)
        if self._timer is None and self._writing is None:
            self._wake_in(_GATHER_SECONDS)

    async def close(self) -> None:
        """Write what is left."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await self._writing
        await self._write(again=False)

    def _wake_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._start)

    def _start(self) -> None:
        self._timer = None
        self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self, *, again: bool = True) -> None:
        batch = list(self._waiting)
        self._waiting.clear()
        pause = _GATHER_SECONDS
        try:
            if batch:
                await self._audit.append(*batch)
        except Failure as failure:
            # While the log cannot be written, new requests are refused; events of those under way are kept until then.
            self._waiting.extendleft(reversed(batch))
            pause = _RETRY_SECONDS
            lost = len(self._waiting) - _MAX_WAITING
            if lost > 0 or not again:
                lost = lost if again else len(self._waiting)
                for _ in range(lost):
                    self._waiting.popleft()
                _log.error("model requests are missing from the audit log", count=lost, reason=failure.message)
        self._writing = None
        if self._waiting and again:
            self._wake_in(pause)

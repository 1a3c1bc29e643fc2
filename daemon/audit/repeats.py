"""Refusals in the log: the first few of a minute each by itself, then only their number; trying fills no disk."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, IdSource
from daemon.core.failures import Failure
from daemon.core.ids import IdPrefix
from daemon.core.vocabulary import Attr

WINDOW_SECONDS = 60.0
LISTED = 30


@dataclass(slots=True)
class _Window:
    """One minute of refusals of one type in one session.

    `listed` refusals have an event of their own. The first one beyond LISTED writes one more event, which says that
    counting begins; its id is `counting`, and stands for everything that is counted afterwards.
    """

    sample: AuditEvent
    until: float
    listed: int = 0
    counting: str | None = None
    counts: Counter[str] = field(default_factory=Counter)


class Repeats:
    """Writes down refusals: each of the first few in a minute, by type and session, then their number by class."""

    def __init__(self, *, audit: AuditLog, clock: Clock, ids: IdSource) -> None:
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._windows: dict[tuple[str, str | None], _Window] = {}
        self._closing = asyncio.Lock()

    async def record(self, event: AuditEvent) -> str:
        """Write one refusal down, or count it; return the id of the event that speaks of it.

        Raises the Failure of a log that cannot be written; a refusal that is only counted needs no write.
        """
        key = (event.type, event.session)
        window = self._windows.get(key)
        if window is not None and self._clock.monotonic() >= window.until:
            await self.close_due()
            window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(event, self._clock.monotonic() + WINDOW_SECONDS)
        if window.listed < LISTED:
            window.listed += 1
            appended = await self._audit.append(event)
            return appended.records[0].id
        window.counts[event.failure_class or "none"] += 1
        if window.counting is None:
            window.counting = self._ids.new(IdPrefix.AUDIT)
            note = {"reason": f"after {LISTED} in a minute, further ones are only counted"}
            await self._audit.append(_about(window, note, event_id=window.counting))
        return window.counting

    async def close_due(self) -> None:
        """Write the numbers of the minutes that are over; those that cannot be written now are kept for later."""
        await self._close([key for key, window in self._windows.items() if self._clock.monotonic() >= window.until])

    async def close(self) -> None:
        """Write all numbers, because the daemon stops."""
        await self._close(list(self._windows))

    async def _close(self, keys: list[tuple[str, str | None]]) -> None:
        async with self._closing:
            for key in keys:
                window = self._windows.pop(key, None)
                if window is None or not window.counts:
                    continue
                try:
                    await self._audit.append(_about(window, _numbers(window)))
                except Failure:
                    self._keep(key, window)

    def _keep(self, key: tuple[str, str | None], window: _Window) -> None:
        """Put numbers back that could not be written; what was counted meanwhile is added to them."""
        newer = self._windows.get(key)
        if newer is not None:
            window.counts += newer.counts
            window.until = newer.until
        self._windows[key] = window


def _about(window: _Window, payload: Mapping[str, object], *, event_id: str | None = None) -> AuditEvent:
    """Return an event about many refusals: no single action or class, only type, session and who tried."""
    return window.sample._replace(id=event_id, action=None, connector=None, failure_class=None, payload=payload)


def _numbers(window: _Window) -> Mapping[str, object]:
    return {
        Attr.REFUSALS_COUNT: window.counts.total(),
        Attr.REFUSALS_BY_CLASS: dict(sorted(window.counts.items())),
        Attr.REFUSALS_COUNTED_SINCE: window.counting,
    }

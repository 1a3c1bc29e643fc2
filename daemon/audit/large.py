"""Keeps large values out of the rows of the log: they go into files, and the event names them by digest."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from daemon.audit.attachments import Attachments
from daemon.audit.budget import LogBudget
from daemon.audit.events import AuditEvent
from daemon.core.canonical import canonical_json
from daemon.core.principal import DAEMON
from daemon.core.vocabulary import Attr, EventType

MAX_PAYLOAD = 16 * 1024
"""A payload up to this many characters stands in its row whole."""

NAMES = Attr.ATTACHMENTS
"""The key of a payload under which the values stand that were moved: their name, digest and size."""

_SMALL = 1024


class LargeValues:
    """Moves values of large payloads into files, on a thread of its own, before the event is written."""

    def __init__(self, attachments: Attachments, budget: LogBudget) -> None:
        self._attachments = attachments
        self._budget = budget
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit-files")
        budget.attached(attachments.size)

    async def moved(self, event: AuditEvent) -> tuple[AuditEvent, ...]:
        """Return the event with its large values moved, and one that says which files had to go for them.

        The files are on disk when this returns. Raises OSError if they cannot be written.
        """
        payload, removed = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._move, event.session, event.payload
        )
        self._budget.attached(self._attachments.size)
        slim = event._replace(payload=payload)
        if not removed:
            return (slim,)
        told = AuditEvent(
            type=EventType.AUDIT_ATTACHMENTS_REMOVED,
            session=None,
            actor=DAEMON,
            payload={"reason": "the quota of [audit] attachments is full", Attr.ATTACHMENTS_COUNT: removed},
        )
        return slim, told

    async def read(self, session: str | None, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the moved values of a payload as JSON texts, None for one whose file is gone or was changed."""
        named = payload.get(NAMES)
        if not isinstance(named, dict):
            return {}
        get = self._attachments.get
        loop = asyncio.get_running_loop()
        return {
            name: await loop.run_in_executor(self._thread, get, session, str(each.get("sha256")))
            for name, each in named.items()
        }

    def close(self) -> None:
        """Finish what is being written."""
        self._thread.shutdown(wait=True)

    def _move(self, session: str | None, payload: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        texts = {name: canonical_json(value) for name, value in payload.items()}
        left = sum(map(len, texts.values()))
        kept, moved = dict(payload), {}
        for name in sorted(texts, key=lambda each: len(texts[each]), reverse=True):
            if left <= MAX_PAYLOAD or len(texts[name]) <= _SMALL:
                break
            moved[name] = self._attachments.put(session, texts[name]).as_json()
            left -= len(texts[name])
            del kept[name]
        return kept | {NAMES: moved}, self._attachments.take_removed()

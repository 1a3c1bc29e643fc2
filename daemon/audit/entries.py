"""What goes through the writer: what a caller wants in the log, and what it is told.

These are tuples and not frozen dataclasses, because one of each is made for every event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection

from daemon.audit.checkpoint import CheckpointKind
from daemon.audit.events import AuditEvent, Recorded

T = TypeVar("T")
Effect = Callable[[Connection], Any]
"""A change of state that is made in the transaction of its event."""


class Appended(NamedTuple, Generic[T]):
    """What an append has put on disk."""

    records: tuple[Recorded, ...]
    value: T


class Prepared(NamedTuple):
    """An event with its id, the text of its actor and its canonical payload, not yet linked into the chain."""

    event: AuditEvent
    id: str
    actor: str
    payload: str


@dataclass(slots=True, eq=False)
class Entry:
    """What one caller wants in the log, all of it or nothing."""

    events: tuple[Prepared, ...] = ()
    effect: Effect | None = None
    checkpoint: CheckpointKind | None = None
    """Sign the end of the chain behind these events, and say why."""

"""Audit events as values: what is recorded, and how one hash takes in the one before."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from daemon.core.principal import Principal

GENESIS = "0" * 64
"""What the first event names as the one before it."""

ABSENT = "-"
"""What stands in the hashed text for a column that is NULL."""

NEVER_STORED = frozenset(("", ABSENT))
"""Texts no field may have, because they would be taken for NULL."""

_MAX_FIELD = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that happened, not yet in the log."""

    type: str
    session: str | None
    actor: Principal
    """Who did it or asked for it. Its text is stored and hashed; how it was authenticated stands in the payload."""
    payload: Mapping[str, Any]
    action: str | None = None
    connector: str | None = None
    failure_class: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Where an event stands in the log."""

    seq: int
    id: str
    time: str
    hash: str


def chain_hash(  # the order of the parameters is the order of the table's columns
    seq: int,
    event_id: str,
    time: str,
    event_type: str,
    session: str | None,
    actor: str,
    action: str | None,
    connector: str | None,
    failure_class: str | None,
    payload: str,
    prev_hash: str,
) -> str:
    """Return the hash over everything else in an event's row.

    The hashed text is eleven lines. No field of a written event holds a line break, is empty or is the sign for an
    absent one, so two different rows never make the same text. A row that breaks this rule has no hash: ValueError.
    """
    if not NEVER_STORED.isdisjoint((session, action, connector, failure_class)):
        raise ValueError("a field is empty, or the sign for an absent one")
    text = (
        f"{prev_hash}\n{seq}\n{event_id}\n{time}\n{event_type}\n{session or ABSENT}\n{actor}\n{action or ABSENT}\n"
        f"{connector or ABSENT}\n{failure_class or ABSENT}\n{payload}"
    )
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def checked_field(text: str | None, *, name: str) -> str | None:
    """Refuse a field that would make the hashed text ambiguous: fields are lines, and `-` stands for none."""
    if text is not None and not _is_line(text):
        raise ValueError(f"{text[:60]!r} cannot be the {name} of an audit event")
    return text


@lru_cache(maxsize=1024)  # the same few types, actors, sessions and actions come again with every event
def _is_line(text: str) -> bool:
    return text not in NEVER_STORED and len(text) <= _MAX_FIELD and text.isprintable()

"""Audit events as values: what is recorded, and how one hash takes in the one before."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from daemon.core.principal import Principal

GENESIS = "0" * 64
"""What the first event names as the one before it."""

ABSENT = "-"
"""What stands in the hashed text for a column that is NULL."""

NEVER_STORED = frozenset(("", ABSENT))
"""Texts no field may have, because they would be taken for NULL."""

_MAX_FIELD = 500


class AuditEvent(NamedTuple):
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


class Recorded(NamedTuple):
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


@lru_cache(maxsize=1024)  # the same few types, actors, sessions and actions come again with every event
def checked_names(
    event_type: str,
    who: Principal,
    session: str | None,
    action: str | None,
    connector: str | None,
    failure_class: str | None,
) -> str:
    """Return how an event names its actor; ValueError for fields that would make the hashed text ambiguous.

    Fields are lines, and `-` stands for none. An event's id is no part of this, because it is another one each time.
    """
    actor = str(who)
    check_text(event_type, name="type")
    check_text(actor, name="actor")
    check_text(session, name="session")
    check_text(action, name="action")
    check_text(connector, name="connector")
    check_text(failure_class, name="failure class")
    return actor


def check_text(text: str | None, *, name: str) -> None:
    """Refuse what cannot be a line of the hashed text: ValueError."""
    if text is not None and (text in NEVER_STORED or len(text) > _MAX_FIELD or not text.isprintable()):
        raise ValueError(f"{text[:60]!r} cannot be the {name} of an audit event")

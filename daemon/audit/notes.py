"""What a log says of itself: where a person went on although it was damaged, what was found after a power loss."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.audit.checkpoint import Checkpoint, CheckpointKind
from daemon.audit.damage import Problem
from daemon.core.vocabulary import Attr, EventType

RESUMED = EventType.AUDIT_RESUMED
RECOVERED = EventType.AUDIT_RECOVERED
_PAYLOAD = "SELECT payload FROM audit_events WHERE seq = ? AND type = ?"


@dataclass(slots=True)
class Notes:
    """Facts that signed events state, and that whoever verifies the log must be told for ever."""

    resumed: list[tuple[int, str]] = field(default_factory=list)
    found: list[Problem] = field(default_factory=list)
    """What was damaged when a person went on; by now it may be covered by what came later."""
    unvouched: list[tuple[int, int]] = field(default_factory=list)


def read_notes(connection: sqlite3.Connection, valid: Sequence[Checkpoint]) -> Notes:
    """Read them at the checkpoints of these kinds, which sign the event itself: others could be forged."""
    notes = Notes()
    for one in valid:
        if one.kind is CheckpointKind.RESUMED:
            payload = _payload(connection, one.seq, RESUMED)
            because = str(payload.get(Attr.AUDIT_BECAUSE, "the event is damaged"))
            message = f"With event {one.seq} a person went on with a log that was damaged up to there ({because})."
            notes.resumed.append((one.seq, message))
            notes.found += _found(payload)
        elif one.kind is CheckpointKind.RECOVERY:
            payload = _payload(connection, one.seq, RECOVERED)
            first = payload.get(Attr.AUDIT_FIRST)
            notes.unvouched.append((first if isinstance(first, int) else one.previous + 1, one.seq - 1))
    return notes


def _found(payload: dict[str, object]) -> list[Problem]:
    items = payload.get(Attr.AUDIT_FOUND)
    return [
        Problem(kind=str(item["kind"]), seq=item["seq"], event_id=None, message=str(item["message"]), known=True)
        for item in (items if isinstance(items, list) else [])
    ]


def _payload(connection: sqlite3.Connection, seq: int, kind: str) -> dict[str, object]:
    try:
        row = connection.execute(_PAYLOAD, (seq, kind)).fetchone()
        payload = {} if row is None else json.loads(row[0])
    except (sqlite3.Error, ValueError, TypeError):
        return {}
    return payload if isinstance(payload, dict) else {}

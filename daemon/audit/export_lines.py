"""The lines of an export, each with exactly one way to write it, so that every changed byte is noticed."""

import json
from collections.abc import Mapping
from typing import Any

from daemon.audit.query import StoredEvent
from daemon.audit.stored_rows import Row
from daemon.core.canonical import CanonicalError, canonical_json

VERSION = 2
BEGINS, CHECKPOINT, ENDS = "export.begins", "export.checkpoint", "export.ends"
EVENT_FIELDS = (
    *("seq", "id", "time", "type", "session", "actor", "action", "connector", "failure_class"),
    *("payload", "prev_hash", "hash"),
)
CHECKPOINT_FIELDS = ("seq", "hash", "time", "key_id", "signature")
STRETCH_FILTERS = ("after_seq", "before_seq", "since", "until")
GAP_FILTERS = ("session", "type", "action", "connector", "failure_class")
"""What leaves out events in between, so that nothing links those that stay."""
_MAY_BE_ABSENT = {"session", "action", "connector", "failure_class"}
_HIGHEST = 2**53


def rendered(line: Mapping[str, Any]) -> str:
    """Return the one way to write a line, in printable ASCII."""
    return json.dumps(line, separators=(",", ":"), check_circular=False).replace("\x7f", "\\u007f")


def begins(given: Mapping[str, Any], *, head: Mapping[str, Any] | None, key_id: str, public_key: str) -> str:
    """Return the first line: what was asked for, and where the log ended."""
    about = {"version": VERSION, "filter": dict(given), "key_id": key_id, "public_key": public_key, "head": head}
    return rendered({"type": BEGINS, **about})


def event_line(event: StoredEvent) -> str:
    """Return the line of an event; a payload that is not as it was written comes as text, so that nothing mends it."""
    row: dict[str, Any] = {name: getattr(event, name) for name in EVENT_FIELDS}
    row["payload"] = _as_stored(event.payload)
    return rendered(row)


def checkpoint_line(row: Mapping[str, Any]) -> str:
    """Return the line of a checkpoint."""
    return rendered({"type": CHECKPOINT, **{name: row[name] for name in CHECKPOINT_FIELDS}})


def ends(*, events: int, checkpoints: int) -> str:
    """Return the last line, without which an export is cut off."""
    return rendered({"type": ENDS, "events": events, "checkpoints": checkpoints})


def _as_stored(text: str) -> Any:
    try:
        payload = json.loads(text)
        return payload if isinstance(payload, dict) and canonical_json(payload) == text else text
    except (ValueError, RecursionError, CanonicalError):
        return text


def row_of(line: Mapping[str, Any], *, prev_hash: str | None = None) -> Row:
    """Return an event's row as it lies in the log; raises ValueError for what no log can hold.

    Exports of older versions leave out the hash before; then it is given here.
    """
    values = dict(line) if prev_hash is None else {**line, "prev_hash": prev_hash}
    if set(values) != set(EVENT_FIELDS):
        raise ValueError("it has not the fields of an event")
    if isinstance(values["payload"], dict):
        values["payload"] = canonical_json(values["payload"])
    _check_seq(values["seq"])
    for name in EVENT_FIELDS[1:]:
        if not (isinstance(values[name], str) or (values[name] is None and name in _MAY_BE_ABSENT)):
            raise ValueError(f"its {name} is of the wrong kind")
    return tuple(values[name] for name in EVENT_FIELDS)


def checkpoint_row(line: Mapping[str, Any]) -> Row:
    """Return a checkpoint's row as it lies in the log; raises ValueError."""
    values = {name: value for name, value in line.items() if name != "type"}
    if set(values) != set(CHECKPOINT_FIELDS):
        raise ValueError("it has not the fields of a checkpoint")
    _check_seq(values["seq"])
    if not all(isinstance(values[name], str) for name in CHECKPOINT_FIELDS[1:]):
        raise ValueError("a field is of the wrong kind")
    return tuple(values[name] for name in CHECKPOINT_FIELDS)


def _check_seq(seq: Any) -> None:
    if type(seq) is not int or not 0 < seq < _HIGHEST:
        raise ValueError("its number is not one of an event")

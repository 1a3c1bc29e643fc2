"""Taking the log elsewhere: a signed head to hold against it later, and its events with all that proves them.

An export is a file of JSON lines, each in exactly one form (daemon/audit/export_lines.py):

    export.begins       what was left out, the signed head of the log, and the public key
    an event            all columns of its row, `prev_hash` among them
    export.checkpoint   behind the event that it signs; only where no event is left out in between
    export.ends         how many events and checkpoints there are
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from daemon.audit.checkpoint import Head
from daemon.audit.export_lines import GAP_FILTERS, STRETCH_FILTERS, begins, checkpoint_line, ends, event_line
from daemon.audit.query import EventFilter, StoredEvent, stream_events
from daemon.audit.signing import CheckpointSigner
from daemon.db.tables import audit_checkpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedHead:
    """Where the log ended at some time, under a signature."""

    seq: int
    hash: str
    time: str
    key_id: str
    public_key: str
    signature: str

    def as_json(self) -> dict[str, Any]:
        """Return the head in the form it is kept in."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ExportedHead":
        """Read a head back; raises ValueError if it is not one."""
        names = {"seq": int, "hash": str, "time": str, "key_id": str, "public_key": str, "signature": str}
        for name, kind in names.items():
            if not isinstance(data.get(name), kind) or isinstance(data.get(name), bool):
                raise ValueError(f"{name!r} is missing or of the wrong type")  # noqa: TRY004 - a bad document, not a bad call
        return cls(**{name: data[name] for name in names})


def export_head(head: Head, *, signer: CheckpointSigner) -> ExportedHead:
    """Sign the head of the log as its writer remembers it; what the database says is not asked."""
    return ExportedHead(
        seq=head.seq,
        hash=head.hash,
        time=head.time,
        key_id=signer.key_id,
        public_key=signer.public_key.hex(),
        signature=signer.sign(purpose="head", seq=head.seq, head=head.hash, time=head.time),
    )


def export_events(connection: Connection, wanted: EventFilter) -> Iterator[StoredEvent]:
    """Yield the events that fit, in the order they were written, all of them."""
    return stream_events(connection, replace(wanted, newest_first=False, limit=None))


def export_lines(
    connection: Connection, wanted: EventFilter, *, head: ExportedHead | None, key_id: str, public_key: bytes
) -> Iterator[str]:
    """Yield the lines of an export that ends at the head; without one, as for a damaged log, at the last event."""
    given = {
        name: value
        for name, value in asdict(wanted).items()
        if value is not None and name in (*STRETCH_FILTERS, *GAP_FILTERS)
    }
    yield begins(given, head=None if head is None else head.as_json(), key_id=key_id, public_key=public_key.hex())
    if head is not None:
        # What came behind the head since it was signed is left to the next export.
        wanted = replace(wanted, before_seq=min(head.seq + 1, wanted.before_seq or head.seq + 1))
    checkpoints = iter(()) if any(name in given for name in GAP_FILTERS) else _checkpoints(connection)
    due = next(checkpoints, None)
    events = signed = 0
    for event in export_events(connection, wanted):
        while due is not None and due["seq"] < event.seq:
            if events:
                yield checkpoint_line(due)
                signed += 1
            due = next(checkpoints, None)
        yield event_line(event)
        events += 1
        if due is not None and due["seq"] == event.seq:
            yield checkpoint_line(due)
            signed += 1
            due = next(checkpoints, None)
    yield ends(events=events, checkpoints=signed)


def _checkpoints(connection: Connection) -> Iterator[Mapping[str, Any]]:
    table = audit_checkpoints
    rows = connection.execution_options(yield_per=500).execute(select(table).order_by(table.c.seq))
    for row in rows.mappings():
        yield {str(name): value for name, value in row.items()}

"""Taking the log elsewhere: a signed head to hold against it later, and its events as they are."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection

from daemon.audit.checkpoint import Head
from daemon.audit.query import EventFilter, StoredEvent, stream_events
from daemon.audit.signing import CheckpointSigner


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

"""The end of the chain while events are linked to it, and the checkpoints that come due on the way."""

from collections.abc import Sequence
from typing import Any

from daemon.audit.checkpoint import Checkpoint, CheckpointKind, Head
from daemon.audit.entries import Prepared
from daemon.audit.events import Recorded, chain_hash


class GrowingChain:
    """Takes one event after the other, and signs at the latest where the setting says."""

    def __init__(self, head: Head, *, every: int) -> None:
        self.rows: list[tuple[Any, ...]] = []
        """What is to be stored, one for each event."""
        self.due: list[Checkpoint] = []
        self._seq, self._hash, self._time = head.seq, head.hash, head.time
        self._every = every
        self._signed, self._signed_hash, self._number = head.checkpoint, head.checkpoint_hash, head.number

    def take(self, events: Sequence[Prepared], time: str) -> tuple[Recorded, ...]:
        """Take more events, and say where they stand; the last that may be unsigned is signed."""
        records: list[Recorded] = []
        for prepared in events:
            event = prepared.event
            fields = (
                self._seq + 1,
                prepared.id,
                time,
                event.type,
                event.session,
                prepared.actor,
                event.action,
                event.connector,
                event.failure_class,
                prepared.payload,
                self._hash,
            )
            digest = chain_hash(*fields)
            self.rows.append((*fields, digest))
            self._seq, self._hash, self._time = fields[0], digest, time
            if self._seq - self._signed >= self._every:
                self.sign(CheckpointKind.REGULAR, time)
            records.append(Recorded(self._seq, prepared.id, time, digest))
        return tuple(records)

    def sign(self, kind: CheckpointKind, time: str) -> None:
        """Make a checkpoint of the end, if there is anything behind the last one."""
        if self._seq == self._signed:
            return
        self._number += 1
        every = self._every
        if kind is not CheckpointKind.REGULAR:
            every = max(every, self._seq - self._signed)  # what an earlier daemon left may be longer than ours
        self.due.append(
            Checkpoint(
                seq=self._seq,
                hash=self._hash,
                time=time,
                number=self._number,
                previous=self._signed,
                every=every,
                kind=kind,
            )
        )
        self._signed, self._signed_hash = self._seq, self._hash

    def head(self) -> Head:
        """Return the end as a value."""
        return Head(self._seq, self._hash, self._time, self._signed, self._signed_hash, self._number)

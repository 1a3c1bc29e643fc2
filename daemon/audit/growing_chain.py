"""The end of the chain while events are linked to it, and the checkpoints that come due on the way."""

from daemon.audit.checkpoint import Checkpoint, CheckpointKind, Head


class GrowingChain:
    """Takes one event after the other, and signs at the latest where the setting says."""

    def __init__(self, head: Head, *, every: int) -> None:
        self.seq, self.hash, self.time = head.seq, head.hash, head.time
        self.due: list[Checkpoint] = []
        self._every = every
        self._signed, self._signed_hash, self._number = head.checkpoint, head.checkpoint_hash, head.number

    def grow(self, digest: str, time: str) -> None:
        """Take one more event; the last that may be unsigned is signed."""
        self.seq, self.hash, self.time = self.seq + 1, digest, time
        if self.seq - self._signed >= self._every:
            self.sign(CheckpointKind.REGULAR, time)

    def sign(self, kind: CheckpointKind, time: str) -> None:
        """Make a checkpoint of the end, if there is anything behind the last one."""
        if self.seq == self._signed:
            return
        self._number += 1
        every = self._every
        if kind is not CheckpointKind.REGULAR:
            every = max(every, self.seq - self._signed)  # what an earlier daemon left may be longer than ours
        self.due.append(
            Checkpoint(
                seq=self.seq,
                hash=self.hash,
                time=time,
                number=self._number,
                previous=self._signed,
                every=every,
                kind=kind,
            )
        )
        self._signed, self._signed_hash = self.seq, self.hash

    def head(self) -> Head:
        """Return the end as a value."""
        return Head(self.seq, self.hash, self.time, self._signed, self._signed_hash, self._number)

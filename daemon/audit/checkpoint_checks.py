"""Checks the checkpoints of a log: each signature, each number, each distance, and none is missing."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from daemon.audit.checkpoint import Checkpoint, CheckpointKind, read_checkpoint
from daemon.audit.damage import Problem
from daemon.audit.expected import Expected

_CHECKPOINTS = "SELECT seq, hash, time, key_id, signature FROM audit_checkpoints WHERE seq >= ? ORDER BY seq"
_EARLIER = "SELECT count(*) FROM audit_checkpoints WHERE seq < ?"
_BAD = "bad_checkpoint"
_MISSING = "missing_checkpoint"


class CheckpointChecks:
    """The checkpoints that hold, and what is wrong with the others; those before `since` are left out."""

    def __init__(self, connection: sqlite3.Connection, public_keys: Mapping[str, bytes], *, since: int = 0) -> None:
        self.problems: list[Problem] = []
        self.valid: list[Checkpoint] = []
        self._since = since
        self._bad: set[int] = set()
        self._earlier = 0
        self._read(connection, public_keys)
        self._check_order()

    @property
    def last(self) -> Checkpoint | None:
        """Return the last one that holds."""
        return self.valid[-1] if self.valid else None

    @property
    def count(self) -> int:
        """Return how many there are, going by the number of the last one."""
        return 0 if self.last is None else self.last.number or self._earlier + len(self.valid)

    def expect(self, expected: Expected, *, end: int) -> None:
        """Compare with what is known from outside the database; the log ends at this event."""
        seq = expected.checkpoint[0]
        if self.count < expected.number and seq not in self._bad:
            missing = expected.number - self.count
            which = f"The last checkpoint, at event {seq}, is"
            if missing > 1:
                which = f"The last {missing} checkpoints, up to the one at event {seq}, are"
            self._add(_MISSING, seq, f"{which} missing.")
        if expected.most_checkpoints is not None and self.count > expected.most_checkpoints:
            place = 0 if self.last is None else self.last.seq
            self._add("old_seal", place, f"The seal is older than the checkpoint at event {place}: it was put back.")
        last = 0 if self.last is None else self.last.seq
        if expected.every is not None and end - max(last, seq) > expected.every:
            message = f"From event {max(last, seq) + 1} on there should be a checkpoint within {expected.every} events."
            self._add(_MISSING, max(last, seq) + 1, message)

    def _add(self, kind: str, seq: int | None, message: str) -> None:
        self.problems.append(Problem(kind=kind, seq=seq, event_id=None, message=message))

    def _read(self, connection: sqlite3.Connection, public_keys: Mapping[str, bytes]) -> None:
        strangers: dict[str, list[int]] = {}
        usual, connection.text_factory = connection.text_factory, lambda raw: raw.decode("utf-8", "surrogateescape")
        try:
            self._earlier = connection.execute(_EARLIER, (self._since,)).fetchone()[0]
            for row in connection.execute(_CHECKPOINTS, (self._since,)):
                seq, key_id = row[0], row[3]
                if not isinstance(key_id, str) or key_id not in public_keys:
                    strangers.setdefault(str(key_id), []).append(seq)
                    self._bad.add(seq)
                elif (found := read_checkpoint(row, public_keys)) is not None:
                    self.valid.append(found)
                else:
                    self._bad.add(seq)
                    self._add(_BAD, seq, f"The checkpoint at event {seq} does not carry a valid signature.")
        except sqlite3.Error as problem:
            self._add(_BAD, None, f"The checkpoints cannot be read: {problem}.")
        finally:
            connection.text_factory = usual
        for key_id, places in strangers.items():
            which = f"The checkpoint at event {places[0]}"
            if len(places) > 1:
                which = f"{len(places)} checkpoints, the first at event {places[0]},"
            self._add(_BAD, places[0], f"{which} cannot be checked: the key {key_id!r} is not known.")

    def _check_order(self) -> None:
        for before, here in _pairs(self.valid, first_is_known=self._since > 0):
            if here.number is None:
                continue  # of the first form, which has no number and names no checkpoint before it
            self._check_late(here)
            known, number = self._counted(before)
            bad = sum(1 for seq in self._bad if known < seq < here.seq)
            missing = here.number - 1 - number - bad
            if here.previous != known and here.previous not in self._bad:
                message = f"The checkpoint at event {here.previous}, before that at event {here.seq}, is missing."
                if missing > 1:
                    message = (
                        f"{missing} checkpoints before event {here.seq}, the last at {here.previous}, are missing."
                    )
                self._add(_MISSING, here.previous, message)
            elif missing > 0:
                message = f"{missing} of the checkpoints of a former version, up to event {known}, are missing."
                self._add(_MISSING, known, message)

    def _counted(self, before: Checkpoint | None) -> tuple[int, int]:
        """Return the event of the checkpoint before, and how many there should be up to it."""
        if before is None:
            return 0, 0
        if before.number is not None:
            return before.seq, before.number
        former = sum(1 for one in self.valid if one.number is None)
        return before.seq, self._earlier + former + sum(1 for seq in self._bad if seq < before.seq)

    def _check_late(self, here: Checkpoint) -> None:
        if here.kind is CheckpointKind.REGULAR and here.seq - here.previous > here.every:
            message = f"The checkpoint at event {here.seq} is late: the one before is at {here.previous}."
            self._add("late_checkpoint", here.seq, message)


def _pairs(valid: Sequence[Checkpoint], *, first_is_known: bool) -> Iterator[tuple[Checkpoint | None, Checkpoint]]:
    """Yield each with the one before; the first of a part of the log has nothing before it that could be compared."""
    if valid and not first_is_known:
        yield None, valid[0]
    for place in range(1, len(valid)):
        yield valid[place - 1], valid[place]

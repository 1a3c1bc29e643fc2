"""Follows the chain and cuts the log into stretches that hold together; a whole log is one stretch."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from daemon.audit.events import ABSENT, GENESIS, NEVER_STORED, chain_hash
from daemon.audit.stored_rows import Row, Unread

_FAR = 1000
_MAX_SEARCHES = 200
MAX_PIECES = 5000


@dataclass(slots=True, kw_only=True)
class Run:
    """Events that fit their hashes and follow one another.

    The shift is what must be added to a row's number to get the one it was written with: not zero if someone has
    renumbered rows to close a gap or to make room.
    """

    first: int
    last: int
    shift: int
    prev_hash: str
    last_hash: str
    first_id: str | None = None
    last_id: str | None = None
    vouched: int | None = None
    """The last event here that a signature fits."""
    disowned: tuple[int, str | None] | None = None
    """The first event here that a signature contradicts."""

    @property
    def origin(self) -> int:
        """Return the number the first event was written with."""
        return self.first + self.shift

    @property
    def origin_end(self) -> int:
        """Return the number the last event was written with."""
        return self.last + self.shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A row that fits its hash under no number nearby."""

    seq: int
    event_id: str | None
    type: str | None
    hashes: tuple[str | None, ...]
    """What the next event may name as the one before it: the stored hash, and the one of the row as it is now."""


Piece = Run | Broken | Unread


class Walk:
    """Takes the rows in order and keeps the pieces; what is whole costs no memory."""

    def __init__(self, signed: Mapping[int, str], *, start: tuple[int, str] = (0, GENESIS)) -> None:
        place, digest = start
        beginning = Run(first=place, last=place, shift=0, prev_hash="", last_hash=digest, vouched=place)
        self.pieces: list[Piece] = [beginning]
        self.events = 0
        self._signed = signed
        self._places = sorted(signed)
        self._shifts = [0]
        self._searches = 0

    @property
    def full(self) -> bool:
        """Say whether there is so much damage that more of it says nothing new."""
        return len(self.pieces) >= MAX_PIECES

    def skip(self, unread: Unread) -> None:
        """Note rows that could not be read."""
        self.pieces.append(unread)

    def take(self, rows: Sequence[Row]) -> None:
        """Follow the chain through a batch."""
        # This loop is the cost of verification. It knows the whole, unshifted case only; anything else leaves it.
        signed, digest_of, allowed = self._signed, sha256, NEVER_STORED.isdisjoint
        run, previous, expected = self._resume()
        name: object = None
        for row in rows:
            seq, event_id, time, kind, session, actor, action, connector, failure_class, payload, prev_hash, stored = (
                row
            )
            if (
                prev_hash == expected
                and seq == previous + 1
                and type(payload) is str
                and digest_of(
                    f"{prev_hash}\n{seq}\n{event_id}\n{time}\n{kind}\n{session or ABSENT}\n{actor}\n"
                    f"{action or ABSENT}\n{connector or ABSENT}\n{failure_class or ABSENT}\n{payload}".encode(
                        "utf-8", "surrogateescape"
                    )
                ).hexdigest()
                == stored
                and allowed((session, action, connector, failure_class))
                and (seq not in signed or signed[seq] == stored)
            ):
                previous, expected, name = seq, stored, event_id
                continue
            self._close(run, previous, expected, name)
            self._take_one(row)
            run, previous, expected = self._resume()
        self._close(run, previous, expected, name)
        self.events += len(rows)

    def _resume(self) -> tuple[Run | None, int, str | None]:
        piece = self.pieces[-1]
        if isinstance(piece, Run) and piece.shift == 0:
            return piece, piece.last, piece.last_hash
        return None, 0, None

    def _close(self, run: Run | None, last: int, last_hash: str | None, last_id: object) -> None:
        if run is None or last_hash is None or run.last == last:
            return
        run.last, run.last_hash, run.last_id = last, last_hash, shown(last_id)
        before = bisect_right(self._places, last)
        if run.disowned is None and before and self._places[before - 1] >= run.first:
            run.vouched = self._places[before - 1]

    def _take_one(self, row: Row) -> None:
        seq, stored = row[0], row[11]
        shift = self._shift_of(row)
        if shift is None:
            self.pieces.append(
                Broken(seq=seq, event_id=shown(row[1]), type=shown(row[3]), hashes=(stored, _hash_under(seq, row)))
            )
            return
        run = self.pieces[-1]
        name = shown(row[1])
        if not (isinstance(run, Run) and run.shift == shift and run.last + 1 == seq and run.last_hash == row[10]):
            run = Run(first=seq, last=seq, shift=shift, prev_hash=row[10], last_hash=stored, first_id=name)
            self.pieces.append(run)
        run.last, run.last_hash, run.last_id = seq, stored, name
        origin = seq + shift
        if origin in self._signed and run.disowned is None:
            if self._signed[origin] == stored:
                run.vouched = origin
            else:
                run.disowned = (seq, name)

    def _shift_of(self, row: Row) -> int | None:
        """Return by how much the row's number must be changed for its hash to fit, or nothing if it never does."""
        seq, stored = row[0], row[11]
        for shift in reversed(self._shifts):
            if _hash_under(seq + shift, row) == stored:
                return shift
        if self._searches >= _MAX_SEARCHES:
            return None
        self._searches += 1
        for distance in range(1, _FAR + 1):
            for shift in (-distance, distance):
                if _hash_under(seq + shift, row) == stored:
                    self._remember(shift)
                    return shift
        return None

    def _remember(self, shift: int) -> None:
        self._shifts = [0, *self._shifts[1:][-9:], shift]


def _hash_under(seq: int, row: Row) -> str | None:
    try:
        return chain_hash(seq, *row[1:11])
    except (TypeError, ValueError):
        return None


def shown(value: object) -> str | None:
    """Return text that can be shown to a person, or nothing."""
    return value if isinstance(value, str) and value.isprintable() else None

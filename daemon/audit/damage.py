"""Says what was done to a log, from the stretches that still hold together: one act, one problem."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from daemon.audit.stored_rows import Unread
from daemon.audit.walk import Broken, Piece, Run

_MAX_COMPARED = 1000
_PASSING = ("disk I/O error", "database is locked", "unable to open", "database or disk is full", "out of memory")
"""What SQLite says of the moment and not of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One piece of damage."""

    kind: str
    seq: int | None
    event_id: str | None
    message: str
    known: bool = False
    """Whether a person has gone on with the log although they knew of this."""


def is_of_the_disk(problems: Sequence[Problem]) -> bool:
    """Say whether the disk, or a lock, got in the way of the verification, which is then no proof of anything."""
    unread = (problem.message for problem in problems if problem.kind == "unreadable")
    return any(sign in message for message in unread for sign in _PASSING)


def explain(pieces: Sequence[Piece], *, signed_to: int) -> list[Problem]:
    """Name the place and the kind of every piece of damage; the first piece stands for the beginning of the log."""
    return _Explanation(pieces, signed_to).problems


class _Explanation:
    def __init__(self, pieces: Sequence[Piece], signed_to: int) -> None:
        self.problems: list[Problem] = []
        runs = [piece for piece in pieces if isinstance(piece, Run)]
        kept = _backbone(runs)
        kept_ids = {id(run) for run in kept}
        self._moved = [run for run in runs if id(run) not in kept_ids]
        self._accused: set[int] = set()
        self._loose: set[int] = set()
        for run in self._moved:
            self._explain_moved(run, kept)
        left: Run = kept[0]
        between: list[Broken | Unread] = []
        for piece in pieces[1:]:
            if not isinstance(piece, Run):
                between.append(piece)
            elif id(piece) in kept_ids:
                self._explain_boundary(left, between, piece, kept)
                left, between = piece, []
        self._explain_end(left, between, signed_to)
        for run in kept:
            self._explain_disowned(run)
        self.problems.sort(key=lambda problem: problem.seq or 0)

    def _add(self, kind: str, seq: int, event_id: str | None, message: str) -> None:
        self.problems.append(Problem(kind=kind, seq=seq, event_id=event_id, message=message))

    def _explain_moved(self, run: Run, kept: Sequence[Run]) -> None:
        here, there = _were(run.first, run.last), _range(run.origin, run.origin_end)
        if any(run.origin <= other.origin_end and other.origin <= run.origin_end for other in kept[1:]):
            self._add("inserted", run.first, run.first_id, f"{here} put in: a copy of {there}.")
        else:
            self._add("reordered", run.first, run.first_id, f"{here} written as {there}: the order was changed.")

    def _explain_boundary(self, left: Run, between: list[Broken | Unread], right: Run, kept: Sequence[Run]) -> None:
        broken = [piece for piece in between if isinstance(piece, Broken)]
        missing = right.origin - left.origin_end - 1 - self._moved_between(left.origin_end + 1, right.origin - 1)
        lost = self._explain_unread(between)
        if lost:
            missing = min(missing, len(broken))
        self._explain_broken(broken, changed=max(missing, 0))
        if between and not (broken and right.prev_hash in broken[-1].hashes):
            self._loose.add(right.first)
        if missing < 0:
            # They hold together with what is before them, but what follows continues an earlier event.
            first = left.last + missing + 1
            message = f"{_were(first, left.last)} put in: event {right.first} continues an earlier one."
            self._add("inserted", first, left.last_id if missing == -1 else None, message)
        elif missing > len(broken):
            self._loose.add(right.first)
            self._explain_missing(left, broken, right)
        elif not between and right.origin == left.origin_end + 1:
            self._explain_unlinked(left, right, kept)

    def _explain_unread(self, between: list[Broken | Unread]) -> bool:
        lost = [piece for piece in between if isinstance(piece, Unread)]
        for piece in lost:
            upto = "on" if piece.last is None else f"to {piece.last}"
            message = f"From event {piece.first} {upto}, the database file cannot be read: {piece.reason}."
            self._add("unreadable", piece.first, None, message)
        return bool(lost)

    def _explain_broken(self, broken: Sequence[Broken], *, changed: int) -> None:
        for place, piece in enumerate(broken):
            name = f"Event {piece.seq} ({piece.event_id or 'its id is damaged'}, {piece.type})"
            if place < changed:
                self._add("modified", piece.seq, piece.event_id, f"{name} was changed after it was written.")
            else:
                self._add("inserted", piece.seq, piece.event_id, f"{name} was put in: what follows does not know it.")

    def _explain_missing(self, left: Run, broken: Sequence[Broken], right: Run) -> None:
        taken = {piece.seq for piece in broken}
        for run in self._moved:
            taken.update(range(max(run.first, left.last + 1), min(run.last, right.first - 1) + 1))
        free = _ranges(left.last + 1, right.first - 1, taken)
        for first, last in free:
            verb = "is" if first == last else "are"
            self._add("deleted", first, None, f"In front of event {right.first}, {_range(first, last)} {verb} missing.")
        if not free:
            origin = _range(left.origin_end + 1, right.origin - 1)
            message = f"In front of event {right.first}, {origin} went missing, and the numbers were closed up."
            self._add("deleted", right.first, None, message)

    def _explain_unlinked(self, left: Run, right: Run, kept: Sequence[Run]) -> None:
        """Two stretches that touch, neither changed in itself: one of them does not belong."""
        if right.prev_hash == left.last_hash:
            if any(left.last < run.first < right.first for run in self._moved):
                return
            message = f"The numbers from event {right.first} on were changed."
            self._add("reordered", right.first, right.first_id, message)
            return
        if left.first in self._accused:
            return  # the stretch before does not belong to this log, so nothing can continue it
        following = next((run for run in kept if run.first > right.last), None)
        touches_again = following is not None and following.first == right.last + 1 and following.shift == right.shift
        foreign_after = touches_again or right.disowned is not None or following is None
        nothing_before = left is kept[0] and left.first == left.last
        if nothing_before or (right.vouched is None and foreign_after):
            self._accuse_stretch(right)
        elif left.disowned is not None and left.disowned[0] != left.last:
            return  # the signatures tell more exactly where the stretch before went wrong
        elif left.first in self._loose and left.vouched is None:
            self._accuse_stretch(left)
        else:
            self._accused.add(left.first)
            name = f"Event {left.last} ({left.last_id})"
            message = f"{name} was written anew, with a hash to fit: event {right.first} continues another one."
            self._add("modified", left.last, left.last_id, message)

    def _accuse_stretch(self, run: Run) -> None:
        self._accused.add(run.first)
        message = f"{_were(run.first, run.last)} taken from another log: neighbours do not fit."
        self._add("spliced", run.first, run.first_id, message)

    def _explain_disowned(self, run: Run) -> None:
        if run.disowned is None or run.first in self._accused:
            return
        seq, name = run.disowned
        since = max(run.first, 1 if run.vouched is None else run.vouched + 1 - run.shift)
        message = (
            f"Event {seq} ({name}) is not the one that was signed: the log was replaced, beginning somewhere in events "
            f"{since} to {seq}."
        )
        self._add("spliced", seq, name, message)

    def _explain_end(self, left: Run, trailing: list[Broken | Unread], signed_to: int) -> None:
        broken = [piece for piece in trailing if isinstance(piece, Broken)]
        lost = self._explain_unread(trailing)
        self._explain_broken(broken, changed=len(broken))
        end = max([left.origin_end + len(broken), *(run.origin_end for run in self._moved)])
        if signed_to > end and not lost:
            last = max([left.last, *(piece.seq for piece in broken), *(run.last for run in self._moved)])
            message = f"The log ends at event {last}, but it was signed up to {signed_to}: the end was cut off."
            self._add("truncated", last + 1, None, message)

    def _moved_between(self, first: int, last: int) -> int:
        return sum(max(0, min(run.origin_end, last) - max(run.origin, first) + 1) for run in self._moved)


def _backbone(runs: Sequence[Run]) -> list[Run]:
    """Return the heaviest stretches whose original numbers ascend; the others were moved, or are copies."""
    if len(runs) > _MAX_COMPARED or all(a.origin_end < b.origin for a, b in pairwise(runs)):
        return list(runs)
    best: list[int] = []
    before: list[int] = []
    for place, run in enumerate(runs):
        weight, link = 0, -1
        for earlier in range(place):
            if runs[earlier].origin < run.origin and best[earlier] > weight:
                weight, link = best[earlier], earlier
        overlap = max(0, runs[link].origin_end - run.origin + 1) if link >= 0 else 0
        length = run.last - run.first + 1
        best.append(weight + max(length - overlap, 1))
        before.append(link)
    place = max(range(len(runs)), key=best.__getitem__)
    kept: list[Run] = []
    while place >= 0:
        kept.append(runs[place])
        place = before[place]
    kept.reverse()
    return kept if kept[0] is runs[0] else [runs[0], *kept]


def _ranges(first: int, last: int, taken: set[int]) -> list[tuple[int, int]]:
    """Return the stretches of numbers that nothing takes."""
    free: list[tuple[int, int]] = []
    start = first
    for seq in [*sorted(seq for seq in taken if first <= seq <= last), last + 1]:
        if seq > start:
            free.append((start, seq - 1))
        start = seq + 1
    return free


def _range(first: int, last: int) -> str:
    return f"event {first}" if first == last else f"events {first} to {last}"


def _were(first: int, last: int) -> str:
    return f"Event {first} was" if first == last else f"Events {first} to {last} were"

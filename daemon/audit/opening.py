"""Judges a log before anything is written to it: is it what the seal and the running head say it must be?

Reads only. What comes out is where to go on, or the damage; after a power loss also the stretch nobody vouches for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from daemon.audit.checkpoint import Checkpoint, Head
from daemon.audit.checkpoint_checks import CheckpointChecks
from daemon.audit.damage import Problem, is_of_the_disk
from daemon.audit.expected import Expected
from daemon.audit.outside import OutsideRecords
from daemon.audit.seal import NotOursError, Place, RunningHead, Seal
from daemon.audit.verification import driver_of, verify

_CHECKED_EVENTS = 50_000
_CHECKED_CHECKPOINTS = 1_000
"""How far back a start looks, so that it does not become slower with the years; `aileron audit verify` reads all."""


class UnreadableError(Exception):
    """The database does not hold what a log is made of."""

    def as_problem(self) -> Problem:
        """Return it as damage, which lies at no event."""
        message = f"The database cannot be read as an audit log: {self}."
        return Problem(kind="unreadable", seq=None, event_id=None, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What was found, and where the log goes on."""

    head: Head
    seal: Seal
    problems: tuple[Problem, ...] = ()
    found: int = 0
    """The first event that nobody vouches for; zero if all are vouched for."""


def examine(
    connection: Connection, outside: OutsideRecords, *, public_keys: Mapping[str, bytes], boot: str, sealed: bool
) -> Opening:
    """Compare the log with what is kept outside of it; `sealed` says whether there must be a seal."""
    seal, running, problems = _read_outside(outside, sealed=sealed)
    try:
        head, checkpoints = read_database(connection, public_keys)
    except UnreadableError as problem:
        return Opening(head=Head(), seal=seal or Seal(), problems=(*problems, problem.as_problem()))
    if problems:
        return Opening(head=head, seal=seal or Seal(), problems=tuple(problems))
    if seal is None:
        return _adopt(connection, head, public_keys)
    expected, found = _expect(connection, seal, running, head, boot=boot)
    start = start_of_window(checkpoints, seal, head)
    report = verify(connection, public_keys=public_keys, expected=expected, start=start, pages=False)
    if is_of_the_disk(report.news):
        raise OSError(report.news[0].message)
    found = max(found, head.checkpoint + 1) if found and head.seq > head.checkpoint else 0
    return Opening(head=head, seal=seal, problems=tuple(report.news), found=found)


def _read_outside(outside: OutsideRecords, *, sealed: bool) -> tuple[Seal | None, RunningHead | None, list[Problem]]:
    seal: Seal | None = None
    running: RunningHead | None = None
    problems = []
    try:
        seal = outside.read_seal()
        if seal is None and sealed:
            problems.append(_about(f"{outside.seal_path} is missing, so nothing says how the log must end."))
    except (NotOursError, ValueError, KeyError, TypeError) as problem:
        problems.append(_about(f"{outside.seal_path} was changed: {problem}."))
    try:
        running = outside.read_running()
        if running is None and sealed:
            problems.append(_about(f"{outside.running_path} is missing, so nothing says how the log must end."))
    except (NotOursError, ValueError, KeyError, TypeError) as problem:
        problems.append(_about(f"{outside.running_path} was changed: {problem}."))
    if seal is not None and running is not None and seal.closed and running.committed != seal.place:
        message = f"{outside.running_path} is an older copy: it says that the log ends at event {running.committed[0]}."
        problems.append(_about(message, seq=running.committed[0]))
    elif seal is not None and running is not None and seal.number < running.number:
        message = f"{outside.seal_path} is an older copy: it knows {seal.number} checkpoints out of {running.number}."
        problems.append(_about(message, seq=seal.seq))
    return seal, running, problems


def _about(message: str, *, seq: int | None = None) -> Problem:
    return Problem(kind="seal", seq=seq, event_id=None, message=message)


def read_database(connection: Connection, public_keys: Mapping[str, bytes]) -> tuple[Head, list[Checkpoint]]:
    """Return where the log ends by what the database says, and its newest checkpoints that hold."""
    try:
        return _read_database(connection, public_keys)
    except DBAPIError as problem:
        if isinstance(problem, OperationalError) and "no such table" not in str(problem.orig):
            raise  # the disk, or a lock: it may be better the next time
        raise UnreadableError(str(problem.orig)) from problem


def _read_database(connection: Connection, public_keys: Mapping[str, bytes]) -> tuple[Head, list[Checkpoint]]:
    row = connection.exec_driver_sql("SELECT seq, hash, time FROM audit_events ORDER BY seq DESC LIMIT 1").one_or_none()
    # All are read where there is no reason to go back less far; their order is checked by the verification.
    newest = connection.exec_driver_sql(
        "SELECT seq FROM audit_checkpoints ORDER BY seq DESC LIMIT 1 OFFSET ?", (_CHECKED_CHECKPOINTS,)
    ).scalar_one_or_none()
    checks = CheckpointChecks(driver_of(connection), public_keys, since=int(newest or 0))
    head = Head() if row is None else Head(row[0], row[1], row[2])
    if checks.last is not None:
        last = checks.last
        head = head._replace(checkpoint=last.seq, checkpoint_hash=last.hash, number=checks.count)
    return head, checks.valid


def _adopt(connection: Connection, head: Head, public_keys: Mapping[str, bytes]) -> Opening:
    """Take over a log that never had a seal: a new one, or one of a version before. It is trusted if it is whole."""
    report = verify(connection, public_keys=public_keys, pages=False)
    found = head.checkpoint + 1 if head.seq > head.checkpoint else 0
    return Opening(head=head, seal=Seal(), problems=tuple(report.problems), found=found)


def _expect(
    connection: Connection, seal: Seal, running: RunningHead | None, head: Head, *, boot: str
) -> tuple[Expected, int]:
    """Return the bounds of the log, and the first event that nobody vouches for, or zero."""
    bounds = Expected(
        checkpoint=seal.place,
        number=seal.number,
        most_checkpoints=seal.number if seal.closed else seal.number + _unsealed(seal, head),
        every=seal.every,
        reached=seal.place,
        end=seal.seq if seal.closed else None,
        resumed=seal.resumed,
    )
    if seal.closed or running is None:
        return bounds, 0
    if running.boot == boot:
        # Nothing of what was written since then can have been lost: the log ends at one of these places.
        ends = (running.committed, running.pending, *running.doubtful)
        reached = (head.seq, head.hash) if (head.seq, head.hash) in ends else _nearest(head.seq, ends)
        return replace(bounds, reached=reached, end=reached[0]), running.found
    vouched = (running.pending, *running.doubtful)
    reached = max(seal.place, running.committed, *(place for place in vouched if _holds(connection, place)))
    found = running.found or (reached[0] + 1 if head.seq > reached[0] else 0)
    return replace(bounds, reached=reached, every=None), found


def _unsealed(seal: Seal, head: Head) -> int:
    """Return how many checkpoints may have been made since the seal was written: those of one commit.

    One is made at every so many events, and one more at the end of a commit that asks for it. A commit may be large.
    """
    return 1 + max(0, head.seq - seal.seq) // max(1, seal.every)


def _nearest(seq: int, ends: tuple[Place, ...]) -> Place:
    """Return the end that the log should have, if it has none of those it can have: the last it has passed."""
    passed = [place for place in ends if place[0] <= seq]
    return max(passed) if passed else ends[0]


def _holds(connection: Connection, place: Place) -> bool:
    found = connection.exec_driver_sql("SELECT hash FROM audit_events WHERE seq = ?", (place[0],)).scalar_one_or_none()
    return bool(found == place[1])


def start_of_window(checkpoints: Sequence[Checkpoint], seal: Seal, head: Head) -> Place:
    """Return the checkpoint from which on the log is read: as far back as a start can afford."""
    start = (seal.resumed, seal.resumed_hash)
    furthest = head.seq - _CHECKED_EVENTS
    for one in checkpoints:
        limited = len(checkpoints) > _CHECKED_CHECKPOINTS and one is checkpoints[0]
        if (one.seq <= furthest or limited) and start[0] < one.seq <= seal.seq:
            start = (one.seq, one.hash)
    return start

"""Watches over the log while it is written: remembers where it ends, and notices when the database says otherwise."""

from dataclasses import replace

from sqlalchemy import Connection, Engine

from daemon.audit.checkpoint import Head
from daemon.audit.damage import Problem, is_of_the_disk
from daemon.audit.expected import Expected
from daemon.audit.opening import UnreadableError, examine, read_database, start_of_window
from daemon.audit.outside import OutsideRecords
from daemon.audit.seal import Seal
from daemon.audit.signing import CheckpointSigner
from daemon.audit.tail import leads_to
from daemon.audit.verification import driver_of, verify
from daemon.base.faults import FaultPoints

_HIGHEST = 2**53
_DOUBTFUL = 3
"""How many failed commits are remembered: the disk keeps the last one that it took as a whole, if any."""


class DamagedError(Exception):
    """The log in the database is not the one this process has written."""


class Guard:
    """The end of the chain as this process remembers it, and what it keeps of it outside the database."""

    def __init__(self, *, signer: CheckpointSigner, boot: str, every: int, faults: FaultPoints) -> None:
        self._signer = signer
        self._boot = boot
        self._every = every
        self._outside = OutsideRecords(signer, boot=boot, faults=faults)
        self._seal = Seal()
        self._pending: Head | None = None
        self._version: int | None = None
        self.sealed = True
        """Whether the seal on the disk knows of the last checkpoint."""
        self.head = Head()
        self.damage: tuple[Problem, ...] = ()
        self.found = 0

    def examine(self, engine: Engine) -> None:
        """Look at the log as the last daemon left it."""
        with engine.connect() as connection:
            opening = examine(
                connection,
                self._outside,
                public_keys=self._signer.public_keys(),
                boot=self._boot,
                sealed=self._signer.sealed,
            )
        self.head, self.damage, self.found, self._seal = (
            opening.head,
            opening.problems,
            opening.found,
            opening.seal,
        )

    def begin(self) -> None:
        """Write down outside the database that this daemon is at work; raises OSError."""
        if self.damage:
            return
        every = max(self._every, self.head.seq - self.head.checkpoint)
        self._seal = self._sealing(self.head, every=every)
        self._outside.begin(self.head, self._seal, found=self.found)

    def expected(self) -> Expected:
        """Return what a log must hold that is read from now on; the end is asked for when it was read."""
        head = self.head
        return Expected(
            checkpoint=(head.checkpoint, head.checkpoint_hash),
            number=head.number,
            reached=(head.seq, head.hash),
            resumed=self._seal.resumed,
        )

    def furthest(self) -> int:
        """Return the number of the last event that can be in the database by now."""
        pending = self._pending
        return max(self.head.seq, 0 if pending is None else pending.seq)

    def announce(self, head: Head) -> None:
        """Write down where the chain will end, right before it is committed; raises OSError."""
        self._pending = head
        self._outside.announce(self.head, head)

    def note_committed(self, head: Head) -> None:
        """Remember what was committed, and seal a new checkpoint; raises OSError."""
        checkpoint_made = head.number != self.head.number
        self.head, self._pending = head, None
        self._outside.doubtful = ()
        if checkpoint_made:
            self.found = 0
            self._outside.found = 0
            self.sealed = False
        # From here on the log without these events would be a log that was cut off.
        self._outside.announce(head, head)
        if not self.sealed:
            self.seal_again()

    def seal_again(self) -> None:
        """Seal the last checkpoint, also if that could not be done when it was made; raises OSError."""
        self._seal = self._sealing(self.head, every=self._every)
        self._outside.write_seal(self._seal)
        self.sealed = True

    def end(self) -> None:
        """Close the seal; raises OSError."""
        self._outside.end(self.head, replace(self._sealing(self.head, every=self._every), closed=True))

    def find_again(self, connection: Connection) -> None:
        """Compare a new connection's view, in a transaction, with memory.

        The log ends as before the last commit, or behind it.
        """
        driver = driver_of(connection)
        row = driver.execute("SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1").fetchone()
        pending = self._pending
        if pending is not None and row == (pending.seq, pending.hash) and self._is_signed(connection, pending):
            self.note_committed(pending)
        elif pending is not None:
            place = (pending.seq, pending.hash)
            self._pending, self._outside.doubtful = None, (place, *self._outside.doubtful)[:_DOUBTFUL]
        self._version = None
        self.check(connection, until=self.head, again=True)
        self._version = _version(connection)

    def _is_signed(self, connection: Connection, pending: Head) -> bool:
        """Say whether the checkpoint of a commit is there, if it had one: without new events, nothing else tells."""
        place = (pending.checkpoint, pending.checkpoint_hash)
        found = driver_of(connection).execute("SELECT 1 FROM audit_checkpoints WHERE seq = ? AND hash = ?", place)
        return pending.number == self.head.number or found.fetchone() is not None

    def check(self, connection: Connection, *, until: Head, again: bool) -> None:
        """Make sure that the log is still what was written, before it is signed; raises DamagedError.

        If another program has written to the database, all is read that a start would read. Otherwise, `again` says
        whether to read the stretch behind the last checkpoint again; under load that would cost as much as a tenth.
        """
        start = (self.head.checkpoint, self.head.checkpoint_hash)
        driver = driver_of(connection)
        strangers = self._version is not None and _version(connection) != self._version
        if strangers or (again and not leads_to(driver, start, (self.head.seq, self.head.hash), end=until.seq)):
            self.look(connection, until=until)
            self._version = _version(connection)

    def look(self, connection: Connection, *, until: Head) -> None:
        """Read the log as a start would, and remember what is wrong with it; raises DamagedError."""
        keys = self._signer.public_keys()
        try:
            _, checkpoints = read_database(connection, keys)
        except UnreadableError as problem:
            self.damage = (problem.as_problem(),)
            raise DamagedError(str(problem)) from problem
        start = start_of_window(checkpoints, self._sealing(self.head, every=self._every), self.head)
        expected = replace(self.expected(), end=until.seq)
        report = verify(connection, public_keys=keys, expected=expected, start=start, pages=False)
        if is_of_the_disk(report.news):
            raise OSError(report.news[0].message)
        if report.news:
            self.damage = tuple(report.news)
            raise DamagedError(report.news[0].message)

    def furthest_of_all(self, connection: Connection) -> Head:
        """Return a head behind every event and every checkpoint that the log has, had or was to have."""
        ours = (self.head.seq, self._seal.seq, self.furthest(), self._outside.furthest())
        found, _ = read_database(connection, self._signer.public_keys())
        signed = connection.exec_driver_sql("SELECT max(seq) FROM audit_checkpoints").scalar_one() or 0
        seq = max(found.seq, signed, *ours)
        if seq >= _HIGHEST:
            raise OSError(f"a row has the number {seq}, behind which nothing can be written")
        number = max(found.number, self.head.number, self._seal.number)
        last = max((found.checkpoint, found.checkpoint_hash), (self._seal.seq, self._seal.hash))
        return Head(seq, found.hash, found.time, *last, number)

    def resume(self, head: Head) -> None:
        """Take the log as it is from here on; raises OSError."""
        self.head, self.found, self._pending = head, 0, None
        seal = replace(self._sealing(head, every=self._every), resumed=head.seq, resumed_hash=head.hash)
        self._outside.doubtful = ()
        self._outside.begin(head, seal)
        self._seal, self.sealed, self.damage = seal, True, ()

    def closed_records(self) -> tuple[bytes, bytes]:
        """Return seal and running head as they would be after a clean stop at this moment; all must be signed."""
        return self._outside.closed(self.head, replace(self._sealing(self.head, every=self._every), closed=True))

    def note(self, problems: tuple[Problem, ...]) -> None:
        """Remember damage that was found by someone who read the whole log."""
        self.damage = self.damage or problems

    def _sealing(self, head: Head, *, every: int) -> Seal:
        return replace(
            self._seal,
            seq=head.checkpoint,
            hash=head.checkpoint_hash,
            number=head.number,
            every=every,
            closed=False,
        )


def _version(connection: Connection) -> int:
    """Return a number that changes when another connection writes to the database."""
    return int(driver_of(connection).execute("PRAGMA data_version").fetchone()[0])

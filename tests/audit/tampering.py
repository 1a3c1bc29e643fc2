"""What can be done to a log by someone who does not hold its key: acts, each on a copy of a whole log.

The log has 47 events and a checkpoint at every tenth. An act names where the damage must be found. Used by
`test_audit_tampering.py` and by `python -m benchmarks.audit_tampering`, which also runs on versions without a seal.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.audit.events import AuditEvent, chain_hash
from daemon.audit.log import AuditLog
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import IdSource, SystemClock
from daemon.core.principal import Principal
from daemon.db.engine import open_engine
from daemon.db.migration import migrate

AGENT = Principal.agent("ses_1")

EVENTS, EVERY, EARLIER = 47, 10, 25
PAYLOAD, PREV_HASH, HASH = 9, 10, 11
KEPT = ("audit.seal", "audit.running")
Row = list[Any]


@dataclass(frozen=True)
class LogHome:
    """A folder with a database, a key, and what is kept beside the key."""

    folder: Path
    earlier: Path
    """The same log, as it was at event 25."""
    foreign: Path
    """Another log with the same numbers, under another key."""

    @property
    def database(self) -> Path:
        return self.folder / "aileron.db"

    def beside(self, name: str) -> Path:
        return self.folder / "ca" / name

    def sql(self, *statements: str) -> None:
        """Change the database."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def rows(self, *, foreign: bool = False) -> list[Row]:
        """Return the events."""
        path = self.foreign / "aileron.db" if foreign else self.database
        with closing(sqlite3.connect(path)) as connection:
            return [list(row) for row in connection.execute("SELECT * FROM audit_events ORDER BY seq")]

    def write(self, rows: list[Row]) -> None:
        """Put these events in the place of those there are."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("DELETE FROM audit_events")
            connection.executemany(f"INSERT INTO audit_events VALUES ({','.join('?' * 12)})", rows)
            connection.commit()

    def put_back(self, *names: str) -> None:
        """Replace files by how they were at event 25."""
        for name in names:
            if (self.earlier / name).exists():
                shutil.copy2(self.earlier / name, self.folder / name)

    def checkpoints(self) -> list[tuple[Any, ...]]:
        """Return the checkpoints, if the table can be read."""
        with closing(sqlite3.connect(self.database)) as connection:
            try:
                return connection.execute("SELECT * FROM audit_checkpoints ORDER BY seq").fetchall()
            except sqlite3.Error:
                return []


def linked(rows: list[Row], start: int) -> list[Row]:
    """Compute every hash anew from a number on, so that the chain fits again."""
    for index in range(start - 1, len(rows)):
        row = rows[index]
        row[0] = index + 1
        row[PREV_HASH] = rows[index - 1][HASH] if index else "0" * 64
        row[HASH] = chain_hash(*row[:HASH])
    return rows


def edited(home: LogHome, seq: int = 17) -> list[Row]:
    rows = home.rows()
    rows[seq - 1][PAYLOAD] = '{"forged":true}'
    return rows


def forged(home: LogHome, number: int) -> Row:
    """Return an event that never was."""
    return [0, f"aud_forged_{number}", home.rows()[-1][2], "execution.succeeded", None, "agent", None, None, None, "{}"]


def renumber(home: LogHome, rows: list[Row]) -> None:
    home.write([[number, *row[1:]] for number, row in enumerate(rows, 1)])


def _fit_one(home: LogHome) -> None:
    rows = edited(home)
    rows[16][HASH] = chain_hash(*rows[16][:HASH])
    home.write(rows)


def _close_gap(home: LogHome) -> None:
    rows = home.rows()
    renumber(home, rows[:16] + rows[17:])


def _append(home: LogHome, count: int) -> None:
    rows = home.rows()
    added = [[*forged(home, number), "", ""] for number in range(count)]
    home.write(linked(rows + added, len(rows) + 1))


def _insert(home: LogHome, *, fit: bool) -> None:
    rows = home.rows()
    row = [*forged(home, 0), rows[16][HASH], "0" * 64]
    rows = [*rows[:17], row, *rows[17:]]
    if fit:
        home.write(linked(rows, 18))
        home.sql("DELETE FROM audit_checkpoints")
    else:
        renumber(home, rows)


def _swap(home: LogHome, one: int, other: int) -> None:
    rows = home.rows()
    rows[one], rows[other] = rows[other], rows[one]
    renumber(home, rows)


def _move(home: LogHome) -> None:
    rows = home.rows()
    rows.insert(29, rows.pop(11))
    renumber(home, rows)


def _splice(home: LogHome, first: int, last: int) -> None:
    home.write(home.rows()[: first - 1] + home.rows(foreign=True)[first - 1 : last] + home.rows()[last:])


def _take_other(home: LogHome, *, checkpoints: bool) -> None:
    home.write(home.rows(foreign=True))
    home.sql("DELETE FROM audit_checkpoints")
    if checkpoints:
        other = f"ATTACH '{home.foreign / 'aileron.db'}' AS other"
        home.sql(other, "INSERT INTO main.audit_checkpoints SELECT * FROM other.audit_checkpoints")


def _sign_anew(home: LogHome, *, claim: bool) -> None:
    """Rewrite the log, and sign it with a key of one's own; perhaps under the name of the real one."""
    other = CheckpointSigner.open(home.foreign / "ca" / "audit.key")
    real = home.checkpoints()[0][3]
    rows = linked(edited(home), 17)
    home.write(rows)
    home.sql("DELETE FROM audit_checkpoints")
    for seq in range(EVERY, EVENTS, EVERY):
        digest, time = rows[seq - 1][HASH], rows[seq - 1][2]
        signature = other.sign(purpose="checkpoint", seq=seq, head=digest, time=time)
        key = real if claim else other.key_id
        home.sql(f"INSERT INTO audit_checkpoints VALUES ({seq}, '{digest}', '{time}', '{key}', '{signature}')")


def _rewrite(home: LogHome, *, without: str | None) -> None:
    home.write(linked(edited(home), 17))
    if without is not None:
        home.sql(f"DELETE FROM audit_checkpoints WHERE {without}")


def _change_file(home: LogHome, name: str) -> None:
    path = home.beside(name)
    if path.exists():
        path.write_bytes(path.read_bytes().replace(b"4", b"5", 1))


def _remove(home: LogHome, *names: str) -> None:
    for name in names:
        (home.folder / name).unlink(missing_ok=True)


def _remove_database(home: LogHome) -> None:
    _remove(home, "aileron.db", "aileron.db-wal", "aileron.db-shm")


def _foreign_file(home: LogHome, name: str) -> None:
    if (home.foreign / "ca" / name).exists():
        shutil.copy2(home.foreign / "ca" / name, home.beside(name))


def _copied_checkpoint(column: str) -> str:
    columns = ("seq", "hash", "time", "key_id", "signature")
    return ", ".join(column if name == "seq" else name for name in columns)


@dataclass(frozen=True)
class Act:
    """One act of tampering."""

    do: Callable[[LogHome], None]
    places: frozenset[int | None]
    """The event at which damage must be named; None for damage that lies in no event."""
    live: bool = True
    """Whether it can be done to the database of a daemon that runs."""
    files: bool = False
    """Whether it needs more than the database: the other files of the home, without reading the key."""


def act(do: Callable[[LogHome], None], *places: int | None, live: bool = True, files: bool = False) -> Act:
    return Act(do, frozenset(places), live and not files, files)


def sql(*statements: str) -> Callable[[LogHome], None]:
    return lambda home: home.sql(*statements)


ANY = (None, *range(EVENTS + 2))
ACTS: dict[str, Act] = {
    "a payload edited": act(lambda h: h.write(edited(h)), 17),
    "a payload edited, with a hash to fit": act(_fit_one, 17),
    "a time edited": act(sql("UPDATE audit_events SET time = '2020-01-01T00:00:00.000Z' WHERE seq = 17"), 17),
    "an actor edited": act(sql("UPDATE audit_events SET actor = 'user' WHERE seq = 17"), 17),
    "a session taken out": act(sql("UPDATE audit_events SET session = NULL WHERE seq = 17"), 17),
    "a hash edited": act(sql(f"UPDATE audit_events SET hash = '{'0' * 64}' WHERE seq = 17"), 17),
    "the last event edited": act(sql("UPDATE audit_events SET payload = '{}' WHERE seq = 47"), 47),
    "the last event edited, with a hash to fit": act(lambda h: h.write(linked(edited(h, 47), 47)), 47),
    "rewritten from 17 on": act(lambda h: _rewrite(h, without=None), 20),
    "rewritten, checkpoints behind it deleted": act(lambda h: _rewrite(h, without="seq > 17"), 20, 40, 47),
    "rewritten, all checkpoints deleted": act(lambda h: _rewrite(h, without="1"), 40, 47),
    "an event deleted": act(sql("DELETE FROM audit_events WHERE seq = 17"), 17),
    "some events deleted": act(sql("DELETE FROM audit_events WHERE seq BETWEEN 5 AND 8"), 5),
    "an event deleted, the gap closed": act(_close_gap, 17),
    "the first events deleted": act(sql("DELETE FROM audit_events WHERE seq < 4"), 1),
    "the last event deleted": act(sql("DELETE FROM audit_events WHERE seq = 47"), 47),
    "the end cut off": act(sql("DELETE FROM audit_events WHERE seq > 43"), 44),
    "the end cut off, with its checkpoints": act(
        sql("DELETE FROM audit_events WHERE seq > 35", "DELETE FROM audit_checkpoints WHERE seq > 35"), 36
    ),
    "all events deleted": act(sql("DELETE FROM audit_events"), 1),
    "everything deleted": act(sql("DELETE FROM audit_events", "DELETE FROM audit_checkpoints"), 1),
    "an event put in": act(lambda h: _insert(h, fit=False), 18),
    "an event put in, all computed anew, checkpoints deleted": act(lambda h: _insert(h, fit=True), 40, 47, 48),
    "an event put in before the first": act(
        lambda h: h.write([[0, "aud_f", *h.rows()[0][2:PREV_HASH], "", "0" * 64], *h.rows()]), 0
    ),
    "an event forged at the end": act(lambda h: _append(h, 1), 48),
    "ten events forged at the end": act(lambda h: _append(h, 10), 48),
    "two events exchanged": act(lambda h: _swap(h, 11, 12), 12, 13),
    "an event moved": act(_move, 12, 30),
    "an event from another log": act(lambda h: _splice(h, 17, 17), 17),
    "events from another log": act(lambda h: _splice(h, 12, 15), 12),
    "another log with its checkpoints": act(lambda h: _take_other(h, checkpoints=True), 10, 40, 47),
    "another log without checkpoints": act(lambda h: _take_other(h, checkpoints=False), 40, 47),
    "rewritten and signed with another key": act(lambda h: _sign_anew(h, claim=False), 10, 40, 47),
    "rewritten and signed with another key under our name": act(lambda h: _sign_anew(h, claim=True), 10),
    "a checkpoint deleted": act(sql("DELETE FROM audit_checkpoints WHERE seq = 20"), 20),
    "two checkpoints deleted": act(sql("DELETE FROM audit_checkpoints WHERE seq IN (20, 30)"), 20, 30),
    "the first checkpoint deleted": act(sql("DELETE FROM audit_checkpoints WHERE seq = 10"), 10),
    "the last checkpoint deleted": act(
        sql("DELETE FROM audit_checkpoints WHERE seq = (SELECT max(seq) FROM audit_checkpoints)"), 40, 47
    ),
    "all checkpoints deleted": act(sql("DELETE FROM audit_checkpoints"), 40, 47),
    "the table of checkpoints dropped": act(sql("DROP TABLE audit_checkpoints"), None, 40, 47),
    "a checkpoint moved": act(sql("UPDATE audit_checkpoints SET seq = 25 WHERE seq = 20"), 20, 25),
    "a checkpoint copied to another event": act(
        sql(f"INSERT INTO audit_checkpoints SELECT {_copied_checkpoint('25')} FROM audit_checkpoints WHERE seq = 20"),
        25,
    ),
    "two checkpoints exchanged": act(
        sql(
            "UPDATE audit_checkpoints SET seq = -seq WHERE seq IN (20, 30)",
            "UPDATE audit_checkpoints SET seq = 50 + seq WHERE seq < 0",
        ),
        20,
    ),
    "a checkpoint from another log": act(
        lambda h: h.sql(
            f"ATTACH '{h.foreign / 'aileron.db'}' AS other",
            "DELETE FROM main.audit_checkpoints WHERE seq = 20",
            "INSERT INTO main.audit_checkpoints SELECT * FROM other.audit_checkpoints WHERE seq = 20",
        ),
        20,
    ),
    "a checkpoint's signature edited": act(
        sql(
            "UPDATE audit_checkpoints SET signature = substr(signature, 1, length(signature) - 4) || 'AAA='"
            " WHERE seq = 20"
        ),
        20,
    ),
    "a checkpoint's number edited": act(
        sql("UPDATE audit_checkpoints SET signature = replace(signature, '2:2:', '2:3:') WHERE seq = 20"), 20
    ),
    "a checkpoint's hash edited": act(sql("UPDATE audit_checkpoints SET hash = 'x' WHERE seq = 20"), 20),
    "a checkpoint's time edited": act(sql("UPDATE audit_checkpoints SET time = 'x' WHERE seq = 20"), 20),
    "a checkpoint's key edited": act(sql("UPDATE audit_checkpoints SET key_id = 'x' WHERE seq = 20"), 20),
    "an older database": act(lambda h: h.put_back("aileron.db"), 26, live=False),
    "no database": act(_remove_database, 1, live=False),
    "an older database and seal": act(lambda h: h.put_back("aileron.db", "ca/audit.seal"), 20, 26, None, files=True),
    "an older database and running head": act(lambda h: h.put_back("aileron.db", "ca/audit.running"), *ANY, files=True),
    "an older seal": act(lambda h: h.put_back("ca/audit.seal"), *ANY, files=True),
    "an older running head": act(lambda h: h.put_back("ca/audit.running"), *ANY, files=True),
    "the seal edited": act(lambda h: _change_file(h, "audit.seal"), None, files=True),
    "the running head edited": act(lambda h: _change_file(h, "audit.running"), None, files=True),
    "the seal of another log": act(lambda h: _foreign_file(h, "audit.seal"), None, files=True),
    "no seal": act(lambda h: _remove(h, "ca/audit.seal"), None, files=True),
    "no running head": act(lambda h: _remove(h, "ca/audit.running"), None, files=True),
    "rewritten, checkpoints, seal and running head deleted": act(
        lambda h: (_rewrite(h, without="1"), _remove(h, *(f"ca/{name}" for name in KEPT)))[0], None, files=True
    ),
    "no database, no seal, no running head": act(
        lambda h: (_remove_database(h), _remove(h, *(f"ca/{name}" for name in KEPT)))[0], None, files=True
    ),
}


@dataclass
class Opened:
    """A log that is open, with what it stands on."""

    log: AuditLog
    engine: Any
    signer: CheckpointSigner

    async def append(self, count: int = 1) -> None:
        for number in range(count):
            event = AuditEvent(type="execution.started", session="ses_1", actor=AGENT, payload={"n": number})
            await self.log.append(event)

    def found(self, database: Path) -> list[tuple[str, int | None]]:
        """Verify; return the kind and the place of all that is wrong."""
        if hasattr(self.log, "verify"):
            with self.engine.connect() as connection:
                report = self.log.verify(connection)
        else:
            from daemon.audit.verification import verify

            report = verify(database, public_keys=self.signer.public_keys())
        return [(problem.kind, problem.seq) for problem in report.problems]


def open_log(folder: Path) -> Opened:
    """Open the log of a home."""
    clock = SystemClock()
    migrate(folder / "aileron.db", backups=folder / "backups", now_ms=1)
    engine = open_engine(folder / "aileron.db")
    signer = CheckpointSigner.open(folder / "ca" / "audit.key")
    ids = IdSource(clock=clock, entropy=os.urandom)
    return Opened(
        AuditLog.open(engine=engine, clock=clock, ids=ids, signer=signer, checkpoint_every=EVERY), engine, signer
    )


@dataclass
class Originals:
    """The whole logs that are copied for each act: after a clean stop, and as a kill leaves it."""

    folder: Path
    copies: int = field(default=0)

    def make(self) -> "Originals":
        asyncio.run(self._write("foreign", with_copies=False))
        asyncio.run(self._write("stopped", with_copies=True))
        return self

    async def _write(self, name: str, *, with_copies: bool) -> None:
        home = self.folder / name
        home.mkdir()
        opened = open_log(home)
        await opened.append(EARLIER)
        if with_copies:
            _copy(home, self.folder / "earlier")
        await opened.append(EVENTS - EARLIER)
        if with_copies:
            _copy(home, self.folder / "killed")
        await opened.log.close()
        opened.engine.dispose()

    @contextmanager
    def copy(self, kind: str) -> Iterator[LogHome]:
        """Offer a copy of an original, to be tampered with."""
        self.copies += 1
        folder = self.folder / f"copy-{self.copies}"
        shutil.copytree(self.folder / kind, folder)
        try:
            yield LogHome(folder, self.folder / "earlier", self.folder / "foreign")
        finally:
            shutil.rmtree(folder)


def _copy(home: Path, target: Path) -> None:
    """Copy a home whose log is open, with everything in the one file of the database."""
    with closing(sqlite3.connect(home / "aileron.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(home, target, ignore=shutil.ignore_patterns("*-wal", "*-shm"))

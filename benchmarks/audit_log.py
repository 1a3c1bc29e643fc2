"""The audit log beside bare SQLite: appending in groups of sixteen, and verifying a million events.

Run: python -m benchmarks.audit_log [--events 1000000]

Appending: sixteen appenders in one event loop, so that commits gather about sixteen events; the baseline writes the
same rows with the driver alone, sixteen a commit, with the same fsyncs, into a table with the same indexes. Rounds
alternate. (The log keeps its indexes beside the table and fills them some hundred events at a time.)
"""

import argparse
import asyncio
import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from daemon.audit.events import GENESIS, AuditEvent, chain_hash
from daemon.audit.log import AuditLog
from daemon.audit.signing import CheckpointSigner
from daemon.audit.verification import verify
from daemon.base.clock import IdSource, SystemClock
from daemon.core.principal import Principal
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.db.tables import audit_events, audit_index

AGENT = Principal.agent("ses_1")

FILED = tuple(column.name for column in audit_index.columns if column.name != "seq")
GROUP = 16
EVENTS = 8000
ROUNDS = 5
PAYLOAD = {
    "aileron.execution.id": "exe_01890a5d-ac96-774b-bcce-b302099a8057",
    "aileron.action.version": "1.0.0",
    "aileron.action.hash": "sha256:" + "a" * 64,
    "aileron.action.arguments": {"channel": "#engineering", "text": "Shipped, and said so.", "count": 3},
    "aileron.connector.hashes": ["sha256:" + "b" * 64],
}
SESSION = "ses_01890a5d-ac96-774b-bcce-b302099a8057"


def fresh(folder: Path, name: str) -> Path:
    """Make an empty database."""
    path = folder / name
    migrate(path, backups=folder / "backups", now_ms=1)
    return path


async def ours(path: Path) -> float:
    """Append through the log; return events a second."""
    # A key of its own: beside it the log keeps where it ends.
    signer = CheckpointSigner.open(path.with_suffix(".keys") / "audit.key")
    engine = open_engine(path)
    clock = SystemClock()
    log = AuditLog.open(engine=engine, clock=clock, ids=IdSource(clock=clock, entropy=os.urandom), signer=signer)

    async def appender() -> None:
        for _ in range(EVENTS // GROUP):
            await log.append(
                AuditEvent(
                    type="execution.started",
                    session=SESSION,
                    actor=AGENT,
                    action="ship-update",
                    connector="github://acme/slack",
                    payload=PAYLOAD,
                )
            )

    began = time.perf_counter()
    await asyncio.gather(*(appender() for _ in range(GROUP)))
    rate = EVENTS / (time.perf_counter() - began)
    await log.close()
    engine.dispose()
    return rate


def rows(count: int) -> list[tuple[object, ...]]:
    """Make chained rows."""
    import json

    payload = json.dumps(PAYLOAD, sort_keys=True, separators=(",", ":"))
    made: list[tuple[object, ...]] = []
    previous = GENESIS
    for seq in range(1, count + 1):
        event_id = f"aud_{seq:08x}-ac96-774b-bcce-b302099a8057"
        fields = (
            seq, event_id, "2026-11-20T22:00:00.000Z", "execution.started", SESSION, "agent", "ship-update",
            "github://acme/slack", None, payload, previous,
        )  # fmt: skip
        previous = chain_hash(*fields)
        made.append((*fields, previous))
    return made


def bare(path: Path, made: list[tuple[object, ...]]) -> float:
    """Insert the same rows with the driver; return events a second."""
    marks = ",".join("?" * len(audit_events.columns))
    statement = f"INSERT INTO audit_events VALUES ({marks})"  # noqa: S608 - made of question marks
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        for column in FILED:
            where = "" if column in {"time", "type"} else f" WHERE {column} IS NOT NULL"
            connection.execute(f"CREATE INDEX by_{column} ON audit_events ({column}, seq){where}")
        began = time.perf_counter()
        for start in range(0, len(made), GROUP):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, made[start : start + GROUP])
            connection.execute("COMMIT")
        return len(made) / (time.perf_counter() - began)


def verification(folder: Path, signer: CheckpointSigner, count: int) -> tuple[float, float]:
    """Return events a second for the verifier, and for reading and hashing alone."""
    import hashlib

    path = fresh(folder, "million.db")
    marks = ",".join("?" * len(audit_events.columns))
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(f"INSERT INTO audit_events VALUES ({marks})", rows(count))  # noqa: S608
        filed = ", ".join(("seq", *FILED))
        connection.execute(f"INSERT INTO audit_index ({filed}) SELECT {filed} FROM audit_events")  # noqa: S608
        connection.commit()
    ratios = []
    for _ in range(3):
        began = time.perf_counter()
        with closing(sqlite3.connect(path)) as connection:
            for row in connection.execute("SELECT * FROM audit_events ORDER BY seq"):
                hashlib.sha256(row[9].encode()).hexdigest()
        floor = count / (time.perf_counter() - began)
        began = time.perf_counter()
        report = verify(path, public_keys=signer.public_keys())
        assert report.ok
        assert report.events == count
        ratios.append((count / (time.perf_counter() - began), floor))
    return median(r[0] for r in ratios), median(r[1] for r in ratios)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        signer = CheckpointSigner.open(folder / "audit.key")
        made = rows(EVENTS)
        results = [
            (asyncio.run(ours(fresh(folder, f"o{turn}.db"))), bare(fresh(folder, f"b{turn}.db"), made))
            for turn in range(ROUNDS)
        ]
        print(f"append, log                {median(r[0] for r in results):9.0f} events/s")
        print(f"append, bare SQLite        {median(r[1] for r in results):9.0f} events/s")
        print(f"ratio                      {median(a / b for a, b in results):9.2f}   (at least 0.33)")
        verified, floor = verification(folder, signer, given.events)
        print(f"verify {given.events} events    {verified:9.0f} events/s (at least 200000)")
        print(f"read and hash alone        {floor:9.0f} events/s")


if __name__ == "__main__":
    main()

"""How many events a second the audit log takes, beside bare SQLite with the same rows, groups and fsyncs.

Run: python -m benchmarks.audit_append [--events 20000] [--rounds 5] [--group 16] [--profile]

Ours: as many appenders as the group is large, in one event loop, each waiting until its event is on disk. The bare
program writes rows that were made and hashed beforehand, in groups of the size that ours had on average, into the same
tables and indexes. Rounds alternate; what counts is the ratio.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.audit.signing import CheckpointSigner
from daemon.audit.verification import verify
from daemon.base.clock import IdSource, SystemClock
from daemon.core.principal import Principal
from daemon.db.engine import open_engine
from daemon.db.migration import migrate


class CommitCounter:
    """Counts the commits, which the log tells its fault points of."""

    def __init__(self) -> None:
        self.commits = 0

    def hit(self, name: str) -> None:
        """Count a commit that is about to happen."""
        if name == "audit.before_commit":
            self.commits += 1


def event(number: int) -> AuditEvent:
    """Return an event of the usual size, about 600 bytes as a row."""
    arguments = {"channel": "#engineering", "text": f"Shipped number {number}. " + "x" * 150}
    return AuditEvent(
        type="execution.started",
        session="ses_01976f00000070008000000000000001",
        actor=Principal.agent("ses_01976f00000070008000000000000001"),
        action="ship-update",
        connector="github://acme/slack",
        payload={"aileron.execution.id": f"exe_{number}", "arguments": arguments, "attempt": 1},
    )


async def append(log: AuditLog, count: int, appenders: int) -> float:
    """Return the seconds that so many appends take."""

    async def worker(start: int) -> None:
        for number in range(start, count, appenders):
            await log.append(event(number))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for start in range(appenders):
            group.create_task(worker(start))
    return time.perf_counter() - began


def ours(folder: Path, count: int, appenders: int, *, profiled: bool = False) -> tuple[float, float]:
    """Return the seconds and the events in a commit."""
    path = folder / "ours.db"
    migrate(path, backups=folder / "backups", now_ms=1)
    signer = CheckpointSigner.open(folder / "audit.key")
    counter = CommitCounter()

    async def run() -> float:
        clock = SystemClock()
        engine = open_engine(path)
        ids = IdSource(clock=clock, entropy=os.urandom)
        log = AuditLog.open(engine=engine, clock=clock, ids=ids, signer=signer, faults=counter)
        profiler = cProfile.Profile()
        if profiled:
            profiler.enable()
        took = await append(log, count, appenders)
        if profiled:
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(15)
        await log.close()
        engine.dispose()
        return took

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the daemon's own loop
        took = runner.run(run())
    report = verify(path, public_keys=signer.public_keys())
    if not report.ok or report.events != count:
        raise RuntimeError(f"the log does not verify: {report.events} events, {report.problems[:3]}")
    return took, count / counter.commits


def stored(folder: Path) -> list[tuple[Any, ...]]:
    """Return the rows that ours has written."""
    with closing(sqlite3.connect(folder / "ours.db")) as connection:
        return connection.execute("SELECT * FROM audit_events ORDER BY seq").fetchall()


def bare(folder: Path, rows: list[tuple[Any, ...]], group: int, *, indexed: bool) -> float:
    """Return the seconds that SQLite by itself takes to commit the rows in groups."""
    path = folder / f"bare-{indexed}.db"
    migrate(path, backups=folder / "backups", now_ms=1)
    statement = f"INSERT INTO audit_events VALUES ({','.join('?' * 12)})"  # noqa: S608
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        if not indexed:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
            for (name,) in names.fetchall():
                connection.execute(f"DROP INDEX {name}")
        began = time.perf_counter()
        for start in range(0, len(rows), group):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, rows[start : start + group])
            connection.execute("COMMIT")
        return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--group", type=int, default=16)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    if chosen.profile:
        with tempfile.TemporaryDirectory() as scratch:
            ours(Path(scratch), chosen.events, chosen.group, profiled=True)
    results: dict[str, list[float]] = {"ours": [], "bare": [], "bare without indexes": []}
    groups = []
    for _ in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            took, size = ours(folder, chosen.events, chosen.group)
            groups.append(size)
            results["ours"].append(took)
            rows = stored(folder)
            results["bare"].append(bare(folder, rows, max(1, round(size)), indexed=True))
            results["bare without indexes"].append(bare(folder, rows, max(1, round(size)), indexed=False))
    print(f"{chosen.events} events, {chosen.group} appenders, {median(groups):.1f} events in a commit")
    for name, times in results.items():
        print(f"{name:22} {chosen.events / median(times):9.0f} events/s")
    for name in ("bare", "bare without indexes"):
        ratio = median(theirs / mine for mine, theirs in zip(results["ours"], results[name], strict=True))
        print(f"ours / {name:22} {ratio:.2f}")


if __name__ == "__main__":
    main()

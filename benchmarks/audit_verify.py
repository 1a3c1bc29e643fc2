"""What verification of a large audit log costs, beside its floor: reading the rows and hashing as much text.

Run: python -m benchmarks.audit_verify [--events 1000000] [--rounds 3] [--profile]

The log has a real chain and real signatures; only the way it is filled (in bulk) is not the daemon's. Rounds alternate.
"""

import argparse
import cProfile
import os
import pstats
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from daemon.audit.events import GENESIS, chain_hash
from daemon.audit.signing import CheckpointSigner
from daemon.audit.verification import verify
from daemon.base.clock import IdSource, SystemClock, rfc3339
from daemon.core.canonical import canonical_json
from daemon.core.ids import IdPrefix
from daemon.db.migration import migrate

_SIGNED_EVERY = 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        path = folder / "aileron.db"
        migrate(path, backups=folder / "backups", now_ms=1)
        signer = CheckpointSigner.open(folder / "audit.key")
        began = time.perf_counter()
        fill(path, signer, chosen.events)
        size = path.stat().st_size / 2**20
        print(f"{chosen.events} events written in {time.perf_counter() - began:.1f} s, {size:.0f} MiB")
        if chosen.profile:
            profile(path, signer)
        ours, floors = [], []
        for _ in range(chosen.rounds):
            floors.append(timed(lambda: floor(path)))
            ours.append(timed(lambda: check(path, signer, chosen.events)))
        for name, times in (("verify", ours), ("read and hash", floors)):
            wall, cpu = (chosen.events / median(kind) for kind in zip(*times, strict=True))
            print(f"{name:14} {wall:9.0f} events/s, {cpu:9.0f} in a second of processor time")
        ratio = median(mine[0] / bare[0] for mine, bare in zip(ours, floors, strict=True))
        print(f"verify / floor {ratio:9.2f}")


def fill(path: Path, signer: CheckpointSigner, count: int) -> None:
    """Write a chain with checkpoints as the log would, in one transaction."""
    clock = SystemClock()
    ids = IdSource(clock=clock, entropy=os.urandom)
    checkpoints: list[tuple[Any, ...]] = []

    def rows() -> Iterator[tuple[Any, ...]]:
        digest = GENESIS
        for seq in range(1, count + 1):
            arguments = {"channel": "#engineering", "text": f"Shipped number {seq}, and said so. " * 5}
            payload = canonical_json({"aileron.execution.id": f"exe_{seq}", "arguments": arguments, "attempt": 1})
            fields = (
                seq,
                ids.new(IdPrefix.AUDIT),
                rfc3339(clock.now_ms()),
                "execution.started",
                "ses_01976f00000070008000000000000001",
                "agent:codex",
                "ship-update",
                "github://acme/slack",
                None,
                payload,
                digest,
            )
            digest = chain_hash(*fields)
            yield (*fields, digest)
            if seq % _SIGNED_EVERY == 0 or seq == count:
                signature = signer.sign(purpose="checkpoint", seq=seq, head=digest, time=fields[2])
                checkpoints.append((seq, digest, fields[2], signer.key_id, signature))

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO audit_events VALUES ({','.join('?' * 12)})", rows())  # noqa: S608
        connection.executemany("INSERT INTO audit_checkpoints VALUES (?,?,?,?,?)", checkpoints)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def check(path: Path, signer: CheckpointSigner, events: int) -> None:
    """Verify, and insist that all was seen and found whole."""
    report = verify(path, public_keys=signer.public_keys())
    if not report.ok or report.events != events:
        raise RuntimeError(f"the log does not verify: {report.events} events, {report.problems[:3]}")


def floor(path: Path) -> None:
    """Read the same columns of the same rows, and hash as much text, without looking at any of it."""
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(
            "SELECT seq, id, time, type, session, actor, action, connector, failure_class, payload, prev_hash, hash"
            " FROM audit_events ORDER BY seq"
        )
        text = ("x" * 430).encode()
        while batch := cursor.fetchmany(2000):
            for row in batch:
                sha256(text + row[9].encode()[:1]).hexdigest()


def timed(work: Any) -> tuple[float, float]:
    """Return the seconds that work takes, by the clock and of the processor."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def profile(path: Path, signer: CheckpointSigner) -> None:
    """Show where verification spends its time."""
    profiler = cProfile.Profile()
    profiler.runcall(verify, path, public_keys=signer.public_keys())
    pstats.Stats(profiler).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    main()

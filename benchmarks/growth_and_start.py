"""Whether a run costs more when much has happened, and how long the daemon takes to be there.

Run: python -m benchmarks.growth_and_start [--events 1000000]

Growth: the same action over the agent API, with an empty log and one action, with a million events, with 500 actions.
Start: from spawn to the first answer of /healthz, against a process that imports what the daemon imports and ends.
"""

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services.upstream import UpstreamProcess
from world import ROOT, World

from benchmarks.audit_log import rows
from benchmarks.processor import ProcessorTime, middle

RUNS = 400
ROUNDS = 5
IMPORTS = (
    "import cryptography.hazmat.primitives.ciphers.aead, fastapi, httptools, jinja2, pydantic_settings,"
    " rfc8785, sqlalchemy, structlog, uvicorn, uvloop, wasmtime.component, alembic.command"
)


def p50(world: World, token: str, host: str) -> tuple[float, ProcessorTime]:
    """Return the median time of a run in milliseconds, and what the daemon computed for one."""
    body = {"arguments": {"url": f"{host}/bench", "body": '{"n":1}'}}
    taken = []
    assert world.process is not None
    before = ProcessorTime.of(world.process.pid)
    for _ in range(RUNS):
        began = time.perf_counter()
        answer = world.agent("POST", "/v1/actions/bench/run", body, token=token)
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
    return median(taken) * 1000, ProcessorTime.of(world.process.pid).each(before, RUNS)


def ready(folder: Path, upstream: UpstreamProcess) -> World:
    """Return a running installation."""
    folder.mkdir(parents=True)
    world = World(folder, upstream=upstream.url)
    world.start()
    world.set_up()
    world.add_action("bench")
    return world


def fill(world: World, count: int) -> None:
    """Put a long past before the log of a stopped daemon."""
    world.stop()
    marks = ",".join("?" * 12)
    with closing(sqlite3.connect(world.home / "aileron.db")) as connection:
        connection.execute("DELETE FROM audit_events")
        connection.execute("DELETE FROM audit_checkpoints")
        connection.executemany(f"INSERT INTO audit_events VALUES ({marks})", rows(count))  # noqa: S608
        connection.commit()
    for name in ("audit.key", "audit.seal", "audit.running"):
        # As after an upgrade: a log that is not the one the seal speaks of would count as damaged.
        (world.home / "ca" / name).unlink()
    world.start()
    world.unlock()


def growth(folder: Path, upstream: UpstreamProcess, events: int) -> None:
    """Alternate the three installations."""
    small, long, many = (ready(folder / name, upstream) for name in ("small", "long", "many"))
    try:
        fill(long, events)
        for number in range(499):
            many.add_action(f"other-{number}")
        tokens = {id(world): world.session()[1] for world in (small, long, many)}
        for world in (small, long, many):
            p50(world, tokens[id(world)], upstream.url)
        rounds = [[p50(w, tokens[id(w)], upstream.url) for w in (small, long, many)] for _ in range(ROUNDS)]
        print(f"run, empty log, one action     {median(r[0][0] for r in rounds):6.2f} ms")
        print(f"run, log of {events} events    ratio {median(r[1][0] / r[0][0] for r in rounds):.3f} (limit 1.10)")
        print(f"run, 500 actions               ratio {median(r[2][0] / r[0][0] for r in rounds):.3f} (limit 1.10)")
        for name, place in (("empty log", 0), ("long log", 1), ("500 actions", 2)):
            print(f"  processor time of the daemon, {name:11} {middle([r[place][1] for r in rounds])} a run")
    finally:
        for world in (small, long, many):
            world.kill()


def start(folder: Path, upstream: UpstreamProcess) -> None:
    """Alternate starts and bare imports."""
    folder.mkdir(parents=True)
    world = World(folder, upstream=upstream.url, fresh=True)  # as a person's daemon is started
    world.start()
    world.stop()
    pairs = []
    for _ in range(7):
        began = time.perf_counter()
        world.start()
        healthy = time.perf_counter() - began
        assert world.process is not None
        memory = Path(f"/proc/{world.process.pid}/status").read_text().split("VmRSS:")[1].split()[0]
        world.stop()
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", IMPORTS], check=True, cwd=ROOT)
        pairs.append((healthy, time.perf_counter() - began, int(memory) / 1024))
    print(f"spawn to healthy               {median(p[0] for p in pairs):6.2f} s")
    print(f"importing the dependencies     {median(p[1] for p in pairs):6.2f} s")
    print(f"ratio                          {median(p[0] / p[1] for p in pairs):6.2f}   (limit 1.5)")
    print(f"memory when idle               {median(p[2] for p in pairs):6.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, UpstreamProcess() as upstream:
        upstream.behave("/bench", json={"ok": True})
        start(Path(name) / "start", upstream)
        growth(Path(name) / "growth", upstream, given.events)


if __name__ == "__main__":
    main()

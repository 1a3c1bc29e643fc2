"""What a one-step action costs over the agent API, against a bare request to the same upstream plus two fsyncs.

Run: python -m benchmarks.action_run [--rounds 7] [--unpinned]

The daemon, its upstream and the client are three processes: both servers on one processor, the client on another,
unless told otherwise. Where the scheduler puts them moves the baseline by a third and the action by a tenth, so a
ratio of the two means something only if that is fixed. The baseline is what cannot be avoided: one request to the
service, and two fsyncs of the same disk (the durable start and the durable end). Rounds alternate.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services.upstream import UpstreamProcess
from world import World

from benchmarks.processor import ProcessorTime, middle

SMALL = 300
MANY = 2000
CONCURRENCY = 32


def fsyncs(folder: Path, count: int) -> list[float]:
    """Time pairs of an appended record and its fdatasync."""
    taken = []
    with (folder / "fsync-baseline").open("ab", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            for _ in range(2):
                file.write(b"x" * 800)
                os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return taken


async def requests(
    session: aiohttp.ClientSession, url: str, body: Any, headers: dict[str, str], *, count: int, concurrency: int
) -> tuple[list[float], float]:
    """Send requests and return each one's time and the time for all."""
    taken: list[float] = []

    async def worker(mine: int) -> None:
        for _ in range(mine):
            began = time.perf_counter()
            async with session.post(url, json=body, headers=headers) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status}: {await answer.text()}")
            taken.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(worker(count // concurrency) for _ in range(concurrency)))
    return taken, time.perf_counter() - began


async def measure(world: World, token: str, rounds: int) -> None:
    """Alternate baseline and action, and print the medians and the ratio."""
    upstream_body = {"n": 1}
    action_body = {"arguments": {"url": f"{world.upstream}/bench", "body": '{"n":1}'}}
    run_url = f"{world.agent_url}/v1/actions/bench/run"
    headers = {"Authorization": f"Bearer {token}"}
    ratios, bare, ours, rates = [], [], [], []
    alone_costs, costs = [], []
    assert world.process is not None
    daemon = world.process.pid
    connector = aiohttp.TCPConnector(limit=CONCURRENCY * 2)
    async with aiohttp.ClientSession(connector=connector) as session:
        await requests(session, run_url, action_body, headers, count=200, concurrency=8)
        for _ in range(rounds):
            direct, _ = await requests(session, f"{world.upstream}/bare", upstream_body, {}, count=SMALL, concurrency=1)
            base = median(direct) + median(fsyncs(world.home, SMALL))
            before = ProcessorTime.of(daemon)
            alone, _ = await requests(session, run_url, action_body, headers, count=SMALL, concurrency=1)
            between = ProcessorTime.of(daemon)
            _, whole = await requests(session, run_url, action_body, headers, count=MANY, concurrency=CONCURRENCY)
            alone_costs.append(between.each(before, SMALL))
            costs.append(ProcessorTime.of(daemon).each(between, MANY))
            bare.append(base)
            ours.append(median(alone))
            ratios.append(median(alone) / base)
            rates.append(MANY / whole)
    print(f"bare request + 2 fsyncs, p50   {median(bare) * 1e3:6.2f} ms")
    print(f"action run, concurrency 1, p50 {median(ours) * 1e3:6.2f} ms   ratio {median(ratios):.2f} (limit 4)")
    print(f"  processor time of the daemon  {middle(alone_costs)} a run")
    print(f"action runs at {CONCURRENCY} concurrent    {median(rates):6.0f} /s   (at least 500)")
    print(f"  processor time of the daemon  {middle(costs)} a run")


def pin(servers: list[int]) -> None:
    """Put every thread of the servers on one processor and this process on another, where the system can do that."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        print("The processes cannot be pinned here; the ratio depends on where the scheduler puts them.")
        return
    client, server, *_ = sorted(os.sched_getaffinity(0))
    for process in servers:
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {server})
    os.sched_setaffinity(0, {client})


def main() -> None:
    """Set up a world and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--unpinned", action="store_true", help="leave the processors to the scheduler")
    parser.add_argument("--wait", action="store_true", help="wait for Enter before measuring, to attach a profiler")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        World(Path(folder), upstream=upstream.url) as world,
    ):
        # The stand-in echoes what it gets, credential included; a service that does not is the ordinary case.
        upstream.behave("/bench", json={"ok": True})
        upstream.behave("/bare", json={"ok": True})
        world.start()
        world.set_up()
        world.add_action("bench")
        _, token = world.session()
        if given.wait:
            assert world.process is not None
            input(f"daemon pid {world.process.pid}; press Enter ")
        assert world.process is not None
        if not given.unpinned:
            pin([world.process.pid, upstream.pid])
        asyncio.run(measure(world, token, given.rounds))


if __name__ == "__main__":
    main()

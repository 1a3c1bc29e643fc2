"""Kills the daemon at every named point, and at others; promises 3, 4 and 7 hold each time (rows H1, H4)."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from crash.cycles import ALL_POINTS, ANYTIME, UPSTREAM, Cycle, Lives, plan
from services.upstream import UpstreamProcess

WORKERS = 3
KILLS = int(os.environ.get("CRASH_KILLS", "320"))
SEED = int(os.environ.get("CRASH_SEED", "20261120"))


def schedule() -> list[list[Cycle]]:
    """Deal out every planned cut, and then random ones until there are enough."""
    draw = random.Random(SEED)
    planned = list(plan())
    pool = [cycle for cycle in planned if cycle.act not in {"install", "secret"}]
    cycles = planned + [draw.choice(pool) for _ in range(KILLS - len(planned))]
    draw.shuffle(cycles)
    return [cycles[worker::WORKERS] for worker in range(WORKERS)]


def live_through(folder: Path, cycles: list[Cycle], seed: int) -> tuple[int, set[str]]:
    """Run one home's cycles; return the number of kills and the fault points that its first life reached."""
    with UpstreamProcess() as upstream:
        lives = Lives(folder, upstream, seed=seed)
        with lives.world:
            lives.begin()
            for cycle in cycles:
                lives.live(cycle)
            return lives.kills, set(lives.log.read_text().split())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_kill_at_any_point_breaks_a_promise(tmp_path: Path) -> None:
    print(f"CRASH_SEED={SEED} CRASH_KILLS={KILLS}")
    hands = schedule()
    with ThreadPoolExecutor(WORKERS) as pool:
        runs = [
            pool.submit(live_through, tmp_path / f"home-{worker}", cycles, SEED + worker)
            for worker, cycles in enumerate(hands)
        ]
        done = [run.result() for run in runs]
    assert sum(kills for kills, _ in done) == KILLS
    reached = set().union(*(points for _, points in done))
    assert reached <= ALL_POINTS, f"the harness does not know {reached - ALL_POINTS}"


def test_the_plan_covers_every_point_there_is() -> None:
    import re

    import daemon

    named = set()
    for path in Path(daemon.__file__).parent.rglob("*.py"):
        named.update(re.findall(r'faults\.hit\("([a-z_.]+)"\)', path.read_text()))
    assert named == ALL_POINTS
    assert {cycle.point for cycle in plan()} == ALL_POINTS | {UPSTREAM, ANYTIME}

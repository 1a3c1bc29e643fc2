"""Kills the daemon at every named point, and at others; promises 3, 4 and 7 hold each time (rows H1, H4)."""

import os
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from crash.cycles import ALL_POINTS, MOMENTS, Cycle, Lives, plan
from services.upstream import UpstreamProcess

import daemon

WORKERS = 3
KILLS = int(os.environ.get("CRASH_KILLS", "320"))
SEED = int(os.environ.get("CRASH_SEED", "20261120"))


def schedule() -> list[list[Cycle]]:
    """Deal out every planned cut, and then random ones until there are enough."""
    draw = random.Random(SEED)
    cycles = list(plan())
    pool = [cycle for cycle in cycles if cycle.act not in {"install", "secret"}]
    while sum(1 + cycle.again for cycle in cycles) < KILLS:
        cycles.append(draw.choice(pool))
    draw.shuffle(cycles)
    return [cycles[worker::WORKERS] for worker in range(WORKERS)]


def live_through(folder: Path, cycles: list[Cycle], seed: int) -> int:
    """Run one home's cycles; return the number of kills."""
    with UpstreamProcess() as upstream:
        lives = Lives(folder, upstream, seed=seed)
        with lives.world:
            lives.begin()
            for cycle in cycles:
                lives.live(cycle)
            return lives.kills


@pytest.mark.slow
@pytest.mark.timeout(max(1200, 6 * KILLS))  # a thousand by hand take their time
def test_no_kill_at_any_point_breaks_a_promise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nCRASH_SEED={SEED} CRASH_KILLS={KILLS}")
    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        runs = [
            pool.submit(live_through, tmp_path / f"home-{worker}", cycles, SEED + worker)
            for worker, cycles in enumerate(schedule())
        ]
        kills = sum(run.result() for run in runs)
    with capsys.disabled():
        print(f"{kills} kills in {time.perf_counter() - began:.0f} s")
    assert kills >= KILLS


def test_the_points_that_a_daemon_passes_are_those_the_harness_kills_at(tmp_path: Path) -> None:
    with UpstreamProcess() as upstream:
        lives = Lives(tmp_path / "home", upstream, seed=SEED)
        with lives.world:
            passed = lives.rehearse()
    assert passed == ALL_POINTS


def test_the_plan_covers_every_point_there_is() -> None:
    named, calls = [], 0
    for path in Path(daemon.__file__).parent.rglob("*.py"):
        text = path.read_text()
        calls += len(re.findall(r"faults\.hit\(", text))
        named += re.findall(r'faults\.hit\("([a-z_.]+)"\)', text)
    assert len(named) == calls, "a fault point has a name that cannot be read off the source"
    # Those of a landing are killed at in tests/workspaces/test_landing_crashes.py and in test_killed_landings.py, those
    # of commits that land in tests/workspaces/test_cut_commits.py, that of a restored home in
    # tests/promises/test_a_restore_spends_nothing_twice.py.
    elsewhere = ("landing.", "workspace.", "files.", "commits.", "restore.")
    assert {name for name in named if not name.startswith(elsewhere)} == ALL_POINTS
    assert {cycle.point for cycle in plan()} == ALL_POINTS | MOMENTS

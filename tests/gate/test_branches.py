"""Branches of the pure rooms are measured while the tests run, and a room that sinks below its floor fails the run."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def measured(folder: Path, *tests: str, workers: int) -> dict[str, dict[str, list[list[int]]]]:
    """Run tests as `make test` does; return what each process saw, together."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(workers), *tests]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=kept | {"BRANCHES_TO": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, dict[str, list[list[int]]]] = {}
    for path in folder.iterdir():
        for name, seen in json.loads(path.read_text())["files"].items():
            here = found.setdefault(name, {"executed_branches": [], "missing_branches": []})
            here["executed_branches"] += seen["executed_branches"]
            here["missing_branches"] += seen["missing_branches"]
    return found


def test_what_the_tests_take_is_seen_in_every_worker(tmp_path: Path) -> None:
    seen = measured(tmp_path / "seen", "tests/core/test_quantities.py", "tests/core/test_ids.py", workers=2)
    assert seen["daemon/core/quantities.py"]["executed_branches"]
    assert seen["daemon/core/ids.py"]["executed_branches"]
    # A room that no test imported counts, too.
    assert seen["launchers/pi.py"]["missing_branches"]
    assert {name.rpartition("/")[0] for name in seen} >= {"daemon/core", "daemon/core/scrubbing", "launchers"}
    assert all(name.startswith(("daemon/core/", "launchers/")) for name in seen)


def floor(folder: Path, taken: int, of: int) -> subprocess.CompletedProcess[str]:
    """Let the script judge rooms in which so many branches were taken, by two processes in turn."""
    for room in ("daemon/core", "launchers"):
        for process in (0, 1):
            executed = [[line, line + 1] for line in range(taken) if line % 2 == process]
            missing = [[line, line + 1] for line in range(of) if [line, line + 1] not in executed]
            files = {f"{room}/one.py": {"executed_branches": executed, "missing_branches": missing}}
            (folder / f"{room.replace('/', '-')}-{process}.json").write_text(json.dumps({"files": files}))
    words = [sys.executable, "scripts/branch_floor", str(folder)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_room_below_its_floor_fails_and_the_branches_are_named(tmp_path: Path) -> None:
    done = floor(tmp_path, 50, of=100)
    assert done.returncode == 1
    assert "daemon/core: 50.0 % of 100 branches" in done.stdout
    assert "daemon/core/one.py: 50->51, 51->52" in done.stdout


def test_branches_that_any_process_took_are_taken(tmp_path: Path) -> None:
    done = floor(tmp_path, 100, of=100)
    assert done.returncode == 0, done.stdout
    assert "launchers: 100.0 % of 100 branches" in done.stdout


def test_a_run_that_measured_nothing_fails(tmp_path: Path) -> None:
    words = [sys.executable, "scripts/branch_floor", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Was it measured?" in done.stdout

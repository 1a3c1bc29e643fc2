"""Tests that need the Docker engine run in one worker, whatever their file; the rest is shared by file."""

import subprocess
import sys
from pathlib import Path

import pytest
from sharing import group_of, rank_of

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("folder", ["sandbox", "testing_package"])
def test_what_needs_the_engine_is_one_group_and_comes_first(folder: str) -> None:
    assert group_of(f"tests/{folder}/test_a.py::test_b[x]") == "engine"
    assert rank_of(f"tests/{folder}/test_a.py::test_b[x]") == 0


def test_agents_start_one_at_a_time_and_come_next() -> None:
    assert group_of("tests/agents/test_a.py::test_b[x]") == "agents"
    assert rank_of("tests/agents/test_a.py::test_b[x]") == 1


def test_other_tests_go_by_their_file() -> None:
    assert group_of("tests/vault/test_a.py::test_b[x::y]") == "tests/vault/test_a.py"
    assert rank_of("tests/vault/test_a.py::test_b") > rank_of("tests/crash/test_a.py::test_b")
    for long in ("tests/faults/test_a.py::test_b", "tests/gateway/test_gateway.py::test_b"):
        assert rank_of("tests/vault/test_a.py::test_b") > rank_of(long) > rank_of("tests/crash/test_a.py::test_b")


def test_every_test_that_is_marked_for_the_engine_is_in_its_group() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        if "pytest.mark.docker" in path.read_text() and path != Path(__file__):
            assert group_of(path.relative_to(ROOT).as_posix()) == "engine", path


def test_workers_are_handed_whole_groups(tmp_path: Path) -> None:
    options = ("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "-v", "-p", "no:cacheprovider")
    words = [sys.executable, "-m", "pytest", *options, "tests/docs/test_install_lines.py", "tests/gate/test_sharing.py"]
    shown = subprocess.run(
        [*words, "-k", "not whole_groups"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    for file in ("test_install_lines", "test_sharing"):
        workers = {line.split("]")[0] for line in shown.splitlines() if f"{file}.py::" in line and "PASSED" in line}
        assert len(workers) == 1, shown

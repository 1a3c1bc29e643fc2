"""What failed beside others runs once more alone: a test that fails again fails the run, another one is named."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from world import ROOT

UNSTEADY = """
from pathlib import Path
def test_steady():
    pass
def test_unsteady():
    seen = Path(__file__).with_name("seen")
    first = not seen.exists()
    seen.touch()
    assert not first
"""


def ran(folder: Path, text: str, *, place: str = "test_some.py") -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder, and what failed again."""
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(ROOT / "scripts" / "again", folder)
    first = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=folder, capture_output=True, check=False)
    assert first.returncode == 1
    return subprocess.run([sys.executable, "again"], cwd=folder, capture_output=True, text=True, check=False)


def test_a_test_that_passes_alone_is_named_as_unsteady(tmp_path: Path) -> None:
    again = ran(tmp_path, UNSTEADY)
    assert again.returncode == 0
    assert again.stdout.endswith("UNSTEADY, to be mended: test_some.py::test_unsteady\n")


@pytest.mark.parametrize("count", [1, 3])
def test_a_test_that_fails_again_fails_the_run(tmp_path: Path, count: int) -> None:
    text = UNSTEADY + "".join(f"def test_bad_{number}():\n    assert False\n" for number in range(count))
    again = ran(tmp_path, text)
    assert again.returncode == 1
    assert "UNSTEADY" not in again.stdout


def test_more_failures_than_a_few_are_not_run_again(tmp_path: Path) -> None:
    again = ran(tmp_path, "".join(f"def test_bad_{number}():\n    assert False\n" for number in range(4)))
    assert (again.returncode, again.stdout) == (1, "")


@pytest.mark.parametrize("room", ["promises", "crash", "faults"])
def test_what_proves_a_promise_is_never_run_again(tmp_path: Path, room: str) -> None:
    again = ran(tmp_path, UNSTEADY, place=f"tests/{room}/test_some.py")
    assert (again.returncode, again.stdout) == (1, "")

"""The gate of CI itself: what is left out without leave fails the run."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
SKIPS = {
    "a test": "import pytest\ndef test_it():\n    pytest.skip('not today')\n",
    "a mark": "import pytest\n@pytest.mark.skip\ndef test_it():\n    pass\n",
    "a fixture": "import pytest\n@pytest.fixture\ndef f():\n    pytest.skip('no')\ndef test_it(f):\n    pass\n",
    "a file": "import pytest\npytest.importorskip('no_such_module')\ndef test_it():\n    pass\n",
}


LEFT_OUT = 7
"""Not 1, as for failed tests: those may be run again, and then what was left out would be forgotten."""


def run(folder: Path, text: str, ci: str) -> subprocess.CompletedProcess[str]:
    for name in ("conftest.py", "sharing.py"):
        (folder / name).write_text((TESTS / name).read_text())
    (folder / "test_one.py").write_text(text + "\n\ndef test_other():\n    pass\n")
    (folder / "test_two.py").write_text("def test_passes():\n    pass\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder)],
        cwd=folder,
        env={"CI": ci, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("text", SKIPS.values(), ids=SKIPS.keys())
def test_a_skip_without_leave_fails_in_ci_and_only_there(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, text, "true")
    assert done.returncode == LEFT_OUT, done.stdout + done.stderr
    assert "skipped without leave: test_one.py" in done.stdout
    assert run(tmp_path, text, "").returncode == 0


def test_a_run_without_skips_passes_in_ci(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_it():\n    pass\n", "true")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_skip_is_not_forgotten_beside_a_test_that_failed(tmp_path: Path) -> None:
    done = run(tmp_path, SKIPS["a test"] + "\ndef test_bad():\n    assert False\n", "true")
    assert done.returncode == LEFT_OUT, done.stdout + done.stderr
    assert "skipped without leave: test_one.py" in done.stdout

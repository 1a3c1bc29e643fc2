"""The engine itself is killed: the launch says so, the agent ends, and nothing is left when it is back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from world import ROOT

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="an engine of the test's own needs root"),
]


def test_when_the_engine_is_killed_the_launch_says_so_and_nothing_stays(images: dict[str, str]) -> None:
    script = Path(__file__).with_name("engine_that_dies.py")
    ended = subprocess.run(
        ["unshare", "--net", sys.executable, str(script), images["codex"]],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-6000:]}"

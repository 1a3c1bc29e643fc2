"""Fault points: without being asked they do nothing; asked, they end the process at the wanted hit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.base.faults import NO_FAULTS, faults_from

_HIT = "import os; from daemon.base.faults import faults_from; faults = faults_from(os.environ)\n"


def survives(body: str, **environment: str) -> bool:
    code = subprocess.run(
        [sys.executable, "-c", _HIT + body], env=os.environ | environment, check=False, timeout=30
    ).returncode
    assert code in {0, -signal.SIGKILL}
    return code == 0


def test_an_ordinary_environment_has_no_faults() -> None:
    assert faults_from({}) is NO_FAULTS
    assert faults_from({"AILERON_FAULT_FILE": ""}) is NO_FAULTS


@pytest.mark.parametrize(
    ("spec", "hits", "lives"),
    [("a.b", ["a.b"], False), ("a.b", ["a.c", "a"], True), ("a.b:3", ["a.b"] * 2, True), ("a.b:3", ["a.b"] * 3, False)],
)
def test_the_process_ends_at_the_wanted_hit_and_at_no_other(
    tmp_path: Path, spec: str, hits: list[str], lives: bool
) -> None:
    (tmp_path / "wanted").write_text(f"{spec}\n")
    body = f"for name in {hits!r}: faults.hit(name)"
    assert survives(body, AILERON_FAULT_FILE=str(tmp_path / "wanted")) is lives


def test_the_names_of_the_points_can_be_found_out(tmp_path: Path) -> None:
    faults = faults_from({"AILERON_FAULT_LOG": str(tmp_path / "log")})
    faults.hit("a.b")
    faults.hit("a.c")
    assert (tmp_path / "log").read_text() == "a.b\na.c\n"

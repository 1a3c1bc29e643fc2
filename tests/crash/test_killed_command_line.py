"""The command line is killed while something lands: the daemon carries the landing to its end, and says so later.

LANDING_SEED says at which moments: python -m pytest tests/crash/test_killed_command_line.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from handmade import Handmade
from world import ROOT, World

SESSION = "ses_019ab000-1111-7111-8111-0000abcd1234"
COMMAND = "from daemon.cli.main import main; main()"
FILES = 400
SECONDS = 60


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Offer an installation."""
    (tmp_path / "world").mkdir()
    with World(tmp_path / "world", upstream="http://127.0.0.1:1") as made:
        made.start()
        yield made


@pytest.fixture
def work(world: World, tmp_path: Path) -> Handmade:
    """Offer a workspace in which an agent changed, added and deleted many files."""
    made = Handmade(world, tmp_path / "project", SESSION, {f"old/{number}": "old\n" for number in range(FILES)})
    for number in range(FILES // 2):
        made.wrote(f"old/{number}", "new\n")
        made.wrote(f"new/{number}", "new\n")
    made.deleted(f"old/{FILES - 1}")
    made.ended()
    return made


def land(world: World) -> "subprocess.Popen[str]":
    """Start the command that lands everything."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "session", "land", SESSION, "--yes"],
        env=os.environ | {"AILERON_HOME": str(world.home), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def landed(world: World, work: Handmade, before: dict[str, str]) -> bool:
    """Wait until the folder is as it was, or as after all of it; say whether everything landed."""
    after = {path: "new\n" if int(path[4:]) < FILES // 2 else "old\n" for path in before if path != f"old/{FILES - 1}"}
    after |= {f"new/{number}": "new\n" for number in range(FILES // 2)}

    def is_over() -> bool:
        # What the command had sent before it was killed may only now be read.
        told = world.ok("GET", f"/v1/workspaces/{SESSION}")
        return not told["landing_now"] and not begun(world, work) and work.contents() in (before, after)

    until(is_over)
    return work.contents() == after


def asked(world: World, work: Handmade) -> bool:
    return work.layers.get(SESSION).looked_at


def begun(world: World, work: Handmade) -> bool:
    return work.layers.get(SESSION).journal.exists()


def done(world: World, work: Handmade) -> bool:
    return bool(world.ok("GET", f"/v1/audit?session={SESSION}&type=workspace.landed")["items"])


@pytest.mark.parametrize("moment", [asked, begun, done])
def test_a_landing_whose_command_line_is_killed_is_whole_or_nothing_and_the_next_one_says_so(
    world: World, work: Handmade, moment: Callable[[World, Handmade], bool]
) -> None:
    before = work.contents()
    command = land(world)
    until(lambda: moment(world, work))
    command.send_signal(signal.SIGKILL)
    command.communicate(timeout=SECONDS)
    whole = landed(world, work, before)
    assert whole or moment is asked
    if whole:
        last = world.ok("GET", f"/v1/workspaces/{SESSION}")["last_landing"]
        assert last["said"] == f"{FILES + 1} paths landed"
    again = land(world)
    _, said = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, said
    assert landed(world, work, before)
    if whole:
        assert f"The last landing: {FILES + 1} paths landed" in said
        assert "nothing to land" in said


def test_a_landing_whose_command_line_is_killed_at_any_moment_is_never_half(world: World, work: Handmade) -> None:
    before = work.contents()
    draw = random.Random(int(os.environ.get("LANDING_SEED", "20261126")))
    for _ in range(4):
        command = land(world)
        until(lambda: asked(world, work))
        time.sleep(draw.uniform(0, 0.3))
        command.send_signal(signal.SIGKILL)
        command.communicate(timeout=SECONDS)
        landed(world, work, before)
    last = land(world)
    last.communicate(timeout=SECONDS)
    assert last.returncode == 0
    assert landed(world, work, before)

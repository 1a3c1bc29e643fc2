"""An agent that does all it can beforehand does not outlive the daemon, and cannot stop what ends it."""

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox.engine import USER, Shell, engine, left_behind
from sandbox.outliving import WAYS
from sandbox.test_foreign_images import PLAIN
from world import World

pytestmark = pytest.mark.docker
SECONDS = 2.0
"""How long an agent may live without its daemon."""
OPTIONS = {
    "memory": ("--memory", "192MiB", "--env", "EATEN_MIB=150"),
    "spin": ("--cpus", "1"),
    "slow down": ("--cpus", "1"),
}


def running(mark: str) -> list[int]:
    """Return the processes of this machine that have a word among their arguments, in whatever container."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        # The command line that launched it has the same word, and is no agent.
        if mark.encode() in words and b"launch" not in words:
            found.append(int(place.parent.name))
    return found


def until(found: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for something, and return it."""
    deadline = time.monotonic() + seconds
    while not (seen := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return seen


def lived_on(world: World, shell: Shell, way: str, *options: str) -> float:
    """Launch an agent that prepares itself, kill the daemon, and return how long the agent lived on."""
    mark = f"mark-{secrets.token_hex(8)}"
    place = shell.workspace / "outliving.py"
    shutil.copy(Path(__file__).with_name("outliving.py"), place)
    if os.geteuid() == 0:
        os.chown(place, USER, USER)
    words = shell.words("aileron-python", "/workspace/outliving.py", way, mark, options=options)
    process = shell.start(*words)
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == "ready\n", (said, process.communicate(timeout=30))
    assert running(mark)
    began = time.monotonic()
    world.kill()
    until(lambda: not running(mark))
    lived = time.monotonic() - began
    process.communicate(timeout=30)
    return lived


@pytest.fixture
def back_again(world: World) -> Iterator[None]:
    """Have a daemon again after a test that killed it."""
    yield
    world.start()
    world.unlock()
    until(lambda: not left_behind())


@pytest.mark.usefixtures("back_again")
@pytest.mark.parametrize("way", WAYS)
def test_whatever_an_agent_does_beforehand_it_is_gone_two_seconds_after_the_daemon(
    world: World, shell: Shell, way: str
) -> None:
    assert lived_on(world, shell, way, *OPTIONS.get(way, ())) < SECONDS


@pytest.mark.usefixtures("back_again")
@pytest.mark.parametrize("way", ["trace", "stop"])
def test_in_an_image_of_the_person_s_own_it_does_not_outlive_the_daemon_either(
    world: World, shell: Shell, way: str
) -> None:
    assert lived_on(world, shell, way, "--image", PLAIN) < SECONDS


def test_the_end_of_the_anchor_ends_the_agent_without_the_daemon(world: World, shell: Shell) -> None:
    process = shell.start(*shell.words("sleep", "600"))
    (item,) = until(lambda: [each for each in world.ok("GET", "/v1/sandboxes")["items"] if each["ready"]])
    client = engine()
    client.kill(f"aileron-{item['id']}-network", "SIGKILL")
    client.close()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 137
    assert "its network went away" in err


def test_an_agent_may_trace_its_own_children_and_its_orphans_are_waited_for(shell: Shell) -> None:
    script = """
import contextlib, ctypes, glob, os, subprocess, time
child = subprocess.Popen(["sleep", "60"])
traced = ctypes.CDLL(None).ptrace(16, child.pid, None, None)
subprocess.run(["sh", "-c", "sleep 0.1 & sleep 0.1 &"])
deadline = time.monotonic() + 10
while True:
    parents = []
    for place in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents.append(open(place).read().rsplit(")", 1)[1].split()[1])
    others = [parent for parent in parents if parent == str(os.getppid())]
    if len(others) == 1 or time.monotonic() > deadline:
        break
    time.sleep(0.05)
print(traced, len(others))
child.kill()
"""
    ended = shell.inside("aileron-python", "-c", script)
    assert ended.stdout == "0 1\n", ended.stderr


def test_process_1_of_a_sandbox_is_not_the_agent_s(shell: Shell) -> None:
    script = "import json, os; print(json.dumps([os.stat('/proc/1').st_uid, os.getuid(), os.getpid() > 1]))"
    ended = shell.inside("aileron-python", "-c", script)
    owner, own, later = json.loads(ended.stdout)
    assert owner not in {own, 0}
    assert later

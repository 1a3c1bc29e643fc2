"""An agent that does all it can beforehand does not outlive the daemon, and cannot stop what ends it."""

import math
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sandbox.engine import SHORTLY, USER, Shell, engine, left_behind
from sandbox.outliving import WAYS
from sandbox.test_foreign_images import PLAIN
from services.upstream import UpstreamProcess
from world import World

pytestmark = pytest.mark.docker
SECONDS = 2.0
"""How long an agent may live without its daemon."""
BUSY_SECONDS = 10.0
"""The same for hundreds of processes that are killed at once, or that wait for a processor in order to end."""
BUSY = {"spin", "slow down", "processes"}
SOME = ("--cpus", "0.2")
"""A share, so that those who use all they get leave something to the test."""
OPTIONS = {"memory": ("--memory", "192MiB", "--env", "EATEN_MIB=150"), "spin": SOME, "slow down": SOME}
ELSEWHERE = {"in an image of others": ("--image", PLAIN), "with an open network": ("--network", "open")}


def running(*marks: str) -> set[str]:
    """Return which of some words are among the arguments of a process of this machine, in whatever container."""
    wanted, found = {mark.encode() for mark in marks}, set()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = set(place.read_bytes().split(b"\0"))
        except OSError:
            continue
        if b"launch" not in words:  # the command line that launched it has the same word, and is no agent
            found |= wanted & words
    return {mark.decode() for mark in found}


def until(found: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for something, and return it."""
    deadline = time.monotonic() + seconds
    while not (seen := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return seen


def prepared(shell: Shell, way: str, mark: str, *options: str) -> "subprocess.Popen[str]":
    """Launch an agent that does what it can beforehand; return when it has."""
    words = shell.words("aileron-python", "/workspace/outliving.py", way, mark, options=options)
    process = shell.start(*words)
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == "ready\n", (way, said, process.communicate(timeout=30))
    assert running(mark)
    return process


def lived_on(world: World, shell: Shell, ways: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """Launch agents side by side, kill the daemon, and return how long each of them lived on."""
    shutil.copy(Path(__file__).with_name("outliving.py"), shell.workspace)
    if os.geteuid() == 0:
        os.chown(shell.workspace / "outliving.py", USER, USER)
    marks = {name: f"mark-{secrets.token_hex(8)}" for name in ways}
    with ThreadPoolExecutor(len(ways)) as threads:
        starting = {
            name: threads.submit(prepared, shell, name.partition(",")[0], marks[name], *options)
            for name, options in ways.items()
        }
    processes = [each.result() for each in starting.values()]
    began = time.monotonic()
    world.kill()
    lived: dict[str, float] = {}
    while len(lived) < len(ways) and time.monotonic() < began + 30:
        there = running(*marks.values())
        lived |= {name: time.monotonic() - began for name in ways.keys() - lived.keys() if marks[name] not in there}
    for process in processes:
        process.communicate(timeout=30)
    return {name: lived.get(name, math.inf) for name in ways}


def come_back(world: World) -> None:
    """Have a daemon again, and wait until it has cleared up."""
    world.start()
    world.unlock()
    until(lambda: not left_behind(), seconds=120)


def test_whatever_an_agent_does_beforehand_it_is_gone_two_seconds_after_the_daemon(world: World, shell: Shell) -> None:
    ways = {way: OPTIONS.get(way, ()) for way in WAYS}
    # Somebody else's image, and a network that leads out.
    ways |= {f"trace, {what}": options for what, options in ELSEWHERE.items()}
    lived = lived_on(world, shell, ways)
    come_back(world)
    allowed = {name: BUSY_SECONDS if name in BUSY else SECONDS for name in lived}
    assert {name: seconds for name, seconds in lived.items() if seconds >= allowed[name]} == {}


@pytest.mark.parametrize("reach", ["socket", "host"])
def test_where_a_forwarder_carries_what_it_says_it_does_not_outlive_the_daemon_either(
    tmp_path: Path, upstream: UpstreamProcess, images: dict[str, str], reach: str
) -> None:
    settings = f'[sandbox]\nreach = "{reach}"\n'
    with World(tmp_path, upstream=upstream.url, settings=settings, **SHORTLY) as world:
        world.start()
        world.set_up()
        lived = lived_on(world, Shell(world, tmp_path), {"trace": ()})
        come_back(world)
        world.stop()
    assert max(lived.values()) < SECONDS


def test_the_end_of_the_anchor_ends_the_agent_without_the_daemon(world: World, shell: Shell) -> None:
    process = shell.start(*shell.words("sleep", "600"))
    (item,) = until(lambda: [each for each in world.ok("GET", "/v1/sandboxes")["items"] if each["ready"]])
    client = engine()
    client.kill(f"aileron-{item['id']}-network", "SIGKILL")
    client.close()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 137
    assert "its network went away" in err


def test_an_agent_may_trace_its_own_children_and_its_orphans_are_waited_for_and_process_1_is_not_its_own(
    shell: Shell,
) -> None:
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
print(traced, len(others), os.stat("/proc/1").st_uid in (0, os.getuid()), os.getpid() == 1)
child.kill()
"""
    ended = shell.inside("aileron-python", "-c", script)
    assert ended.stdout == "0 1 False False\n", ended.stderr

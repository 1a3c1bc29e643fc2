"""The first process of a container lets no process of its own user trace it, and what it starts may be traced."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.engine import USER
from world import ROOT

GUARD = (ROOT / "sandbox_image" / "inside" / "guard.py").read_text()
TRACED = """
import subprocess, sys, threading
exec(sys.argv[1])
if sys.argv[2] == "guarded":
    keep_to_itself()
threading.Thread(target=threading.Event().wait, daemon=True).start()
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
"""
TRACING = """
import ctypes, json, os, sys
library, found = ctypes.CDLL(None), []
for process in sys.argv[1:]:
    done = sum(library.ptrace(0x4206, int(thread), None, None) == 0 for thread in os.listdir(f"/proc/{process}/task"))
    try:
        seen = len(open(f"/proc/{process}/environ").read()) > 0
    except PermissionError:
        seen = False
    found.append([done, seen])
print(json.dumps(found))
"""


@contextmanager
def first_process(how: str) -> Iterator[tuple[int, int]]:
    """Run something like a first process, as an ordinary user; return its id and that of its child."""
    other = {"user": USER, "group": USER} if os.geteuid() == 0 else {}
    with subprocess.Popen(
        ["/usr/bin/python3", "-c", TRACED, GUARD, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        **other,
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()


def tried(*processes: int) -> list[tuple[int, bool]]:
    """Return how many threads of each process one of the same user could trace, and if it could look into it."""
    other = {"user": USER, "group": USER} if os.geteuid() == 0 else {}
    done = subprocess.run(
        ["/usr/bin/python3", "-c", TRACING, *map(str, processes)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        **other,
    )
    return [(threads, seen) for threads, seen in json.loads(done.stdout)]


def test_the_first_process_is_touched_by_nobody_and_its_children_may_be() -> None:
    with first_process("guarded") as (first, child):
        (traced, seen), (_, child_seen) = tried(first, child)
        assert (traced, seen) == (0, False)
        assert child_seen


def test_without_the_guard_it_could_be_touched() -> None:
    with first_process("open") as (first, _):
        ((_, seen),) = tried(first)  # whether it may be traced is the machine's own setting
        assert seen

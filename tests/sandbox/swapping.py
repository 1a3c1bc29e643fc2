"""Folders are swapped for links to somebody else's, again and again, while sandboxes start in them.

By hand, a hundred real launches (needs a Docker engine):

    PYTHONPATH=.:tests python tests/sandbox/swapping.py --launches 100

Each launch shows everything that the agent sees, and writes. Nothing of the other folder may be in it, or new there.
"""

import argparse
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.engine import SHORTLY, USER, Shell, end_of
from services.upstream import UpstreamProcess
from world import ROOT, World

SECRET = "what nobody may see"
WAYS = ("auto", "live", "copy")
PLACES = ("the folder", "a folder above it", "its .git", "the repository of its worktree", "a folder in it")
LOOK = """
{ cat $(find . -type f ! -path '*/objects/*'); git log --all --format=%s; git status; } 2>&1 |
    tr -cd '\\11\\12\\40-\\176'
for folder in . .git inner; do echo x > $folder/written; done 2> /dev/null
"""
_ANSWERS = ("replaced by a link", "is not there", "was moved while", "symbolic link", "is not where it was")
"""What a launch says that noticed it. Any other refusal is a mistake of ours."""


@dataclass(frozen=True, slots=True)
class Trap:
    """A person's folder, what is swapped of it, and what it is swapped for."""

    folder: Path
    swapped: Path
    other: Path

    @classmethod
    def make(cls, place: Path, what: str) -> "Trap":
        """Make a repository with a worktree, and another one that holds a secret."""
        mine, theirs = place / "mine" / "project", place / "theirs" / "project"
        for repository, text in ((mine, "mine"), (theirs, SECRET)):
            (repository / "inner").mkdir(parents=True)
            (repository / "inner" / "file").write_text(f"{text}\n")
            (repository / "file").write_text(f"{text}\n")
            _git(repository, "init", "-q", "-b", "main")
            _git(repository, "add", "-A")
            _git(repository, "commit", "-q", "-m", text)
            _git(repository, "worktree", "add", "-q", "-b", "side", str(repository.with_name("tree")))
        for each in (place, *place.rglob("*")):
            os.chown(each, USER, USER, follow_symlinks=False)
        return {
            "the folder": cls(mine, mine, theirs),
            "a folder above it": cls(mine, mine.parent, theirs.parent),
            "its .git": cls(mine / "inner", mine / ".git", theirs / ".git"),
            "the repository of its worktree": cls(mine.with_name("tree"), mine / ".git", theirs / ".git"),
            "a folder in it": cls(mine / "inner", mine / "inner", theirs / "inner"),
        }[what]


@contextmanager
def swapping(trap: Trap) -> Iterator[None]:
    """Let another process swap them; afterwards everything is in its place again."""
    command = [sys.executable, __file__, "--swap", str(trap.swapped), str(trap.other)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as attacker:
        assert attacker.stdin is not None
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == b"swapping\n"
        yield
        assert attacker.poll() is None, "it ended by itself"
        attacker.stdin.close()
    assert attacker.returncode == 0


def launch(world: World, trap: Trap, way: str) -> str:
    """Start one sandbox; return `started`, or why it was refused. Fail if the agent gets at the other folder."""
    body = {"agent": "codex", "command": ["sh", "-c", LOOK], "workspace": str(trap.folder), "environment": {}}
    answer = world.control("POST", "/v1/sandboxes", body | {"workspace_way": way})
    if answer.status_code != 201:
        assert answer.status_code == 400, f"{answer.text}\n\nThe daemon said:\n{world.output()[-10_000:]}"
        return next(said for said in _ANSWERS if said in answer.json()["error"]["message"])
    ran = end_of(world, answer.json())
    assert SECRET not in ran.out + ran.err, f"{way}: {ran.out}"
    assert not list(trap.other.rglob("written")), way
    return "started"


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "safe.directory=*")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def _swap(swapped: Path, other: Path) -> None:
    """Swap until the input is closed."""
    aside = swapped.with_name(f"{swapped.name}-aside")
    sys.stdout.write("swapping\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0)[0]:
        swapped.rename(aside)
        swapped.symlink_to(other)
        swapped.unlink()
        aside.rename(swapped)


def _by_hand(launches: int) -> None:
    ended: Counter[tuple[str, str, str]] = Counter()
    place = Path(tempfile.mkdtemp(prefix="aileron-swapping-"))
    place.chmod(0o755)
    (place / "world").mkdir()
    try:
        with UpstreamProcess() as upstream, World(place / "world", upstream=upstream.url, **SHORTLY) as world:
            world.start()
            built = Shell(world, place).run("sandbox", "build", "codex", seconds=900)
            assert built.returncode == 0, built.stderr
            try:
                for number in range(launches):
                    what, way = PLACES[number % len(PLACES)], WAYS[number // len(PLACES) % len(WAYS)]
                    trap = Trap.make(place / str(number), what)
                    with swapping(trap):
                        ended[what, way, launch(world, trap, way)] += 1
                    shutil.rmtree(place / str(number))
            finally:
                world.stop()  # ends what runs in the engine, also when something was shown
    finally:
        shutil.rmtree(place)
    for (what, way, end), count in sorted(ended.items()):
        print(f"{what}, {way}: {end}: {count}")
    print(f"{sum(ended.values())} launches, and none got at the other folder")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=100)
    parser.add_argument("--swap", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.swap:
        _swap(*given.swap)
    else:
        _by_hand(given.launches)

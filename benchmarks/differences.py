"""What it costs to say what an agent changed, and to show it; and that this does not grow with the person's folder.

Run: python -m benchmarks.differences [--changed 100] [--rounds 5]

The layer is made by hand, as the kernel leaves it; the look reads the configuration of git, as a real one does.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from daemon.workspaces.layers.layer import Layer, Part, Start, State
from daemon.workspaces.looking import clocks
from daemon.workspaces.looking.changes import look
from daemon.workspaces.looking.differences import differences
from daemon.workspaces.looking.overview import count, summary
from daemon.workspaces.values import Way

_LINES = 300
_IN_A_FOLDER = 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changed", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    for files in (chosen.changed, 100_000):
        with tempfile.TemporaryDirectory() as scratch:
            layer = made(Path(scratch), files=max(files, chosen.changed), changed=chosen.changed)
            looks, shows, said = measured(layer, chosen.rounds)
            print(
                f"{chosen.changed} changed of {files:,} files: look {median(looks) * 1000:.0f} ms, "
                f"difference {median(shows) * 1000:.0f} ms ({said})"
            )


def made(folder: Path, *, files: int, changed: int) -> Layer:
    """Make a person's repository, and a layer in which some files have ten places that differ."""
    randomly = random.Random(1)
    person, upper = folder / "person", folder / "layer" / "work" / "upper"
    text = [f"value_{number} = {randomly.random()}\n" for number in range(_LINES)]
    for number in range(files):
        name = f"folder-{number // _IN_A_FOLDER}/file-{number}.py"
        write(person / name, "".join(text) if number < changed else "x")
        if number < changed:
            other = text.copy()
            for place in randomly.sample(range(_LINES), 10):
                other[place] = f"other = {number}\n"
            write(upper / name, "".join(other))
    subprocess.run(["git", "init", "-q", str(person)], check=True)
    status, now = person.stat(), clocks.now()
    return Layer(
        session="ses_1",
        agent="codex",
        label="",
        way=Way.OVERLAY,
        state=State.ENDED,
        parts=(Part(name="work", source=str(person), device=status.st_dev, inode=status.st_ino, inside="/workspace"),),
        start=Start(wall_ns=now.wall_ns + 10**9, boot_ns=now.boot_ns + 10**9, boot_id=now.boot_id),
        folder=folder / "layer",
    )


def write(place: Path, text: str) -> None:
    """Write a file, and its folder if that is not there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def measured(layer: Layer, rounds: int) -> tuple[list[float], list[float], str]:
    """Return how long looking and showing took, and what was said."""
    looks, shows, said = [], [], ""
    person = os.open(layer.work.source, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(rounds):
        began = time.perf_counter()
        changes = look(layer, person)
        between = time.perf_counter()
        found = differences(layer, person, changes.items)
        looks.append(between - began)
        shows.append(time.perf_counter() - between)
        said = summary(count(changes.items, found))
    os.close(person)
    return looks, shows, said


if __name__ == "__main__":
    main()

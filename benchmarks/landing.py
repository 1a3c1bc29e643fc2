"""How long landing takes, against `cp -r` of the same files and a sync of their file system.

Run: python -m benchmarks.landing [--files 10000] [--bytes 4096] [--rounds 5] [--folder DIR] [--profile]

Each of the files replaces another one of the person's, in folders of fifty. Rounds alternate; what counts is
the ratio of the medians. What was shown is known beforehand, as it is when a person says yes.
"""

import argparse
import cProfile
import hashlib
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from workspaces.landing_room import LandingRoom, file_entry

from daemon.workspaces.values import Act, Change


def room_with(folder: Path, *, files: int, size: int) -> tuple[LandingRoom, tuple[Change, ...]]:
    """Return a layer in which an agent changed every file, and the changes."""
    room = LandingRoom(folder)
    changes = []
    for number in range(files):
        path = f"folder-{number // 50:04}/file-{number:06}"
        old, new = content(number, b"old", size), content(number, b"new", size)
        room.has(path, old)
        room.wrote(path, new)
        changes.append(Change(path=path, act=Act.MODIFIED, agent=file_entry(new), person=file_entry(old)))
    os.sync()
    return room, tuple(changes)


def content(number: int, kind: bytes, size: int) -> bytes:
    """Return the content of a file, which no other one has."""
    seed = hashlib.sha256(kind + number.to_bytes(8, "big")).digest()
    return (seed * (size // len(seed) + 1))[:size]


def copying(source: Path, target: Path) -> float:
    """Return how long it takes to copy and sync."""
    began = time.perf_counter()
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    subprocess.run(["sync", "-f", str(target)], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    copies, landings = [], []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        for number in range(arguments.rounds):
            folder = Path(name) / str(number)
            room, changes = room_with(folder, files=arguments.files, size=arguments.bytes)
            copies.append(copying(room.upper, folder / "copied"))
            profile = cProfile.Profile()
            began = time.perf_counter()
            if arguments.profile:
                profile.enable()
            landed = room.land(changes=changes)
            profile.disable()
            landings.append(time.perf_counter() - began)
            assert len(landed.paths) == arguments.files, landed.conflicts[:3]
            shutil.rmtree(folder)
            if arguments.profile:
                pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            print(f"copied in {copies[-1]:.2f} s, landed in {landings[-1]:.2f} s, {landings[-1] / copies[-1]:.2f}")
    print(
        f"{arguments.files} files: {median(landings):.2f} s to land, {median(copies):.2f} s to copy and sync: "
        f"ratio {median(landings) / median(copies):.2f}"
    )


if __name__ == "__main__":
    main()

"""What a layer over a large folder costs: its launch, and work inside, against a container with the folder mounted.

Run: python -m benchmarks.workspace [--files 100000] [--gigabytes 5] [--rounds 5] [--only launches|work]

It needs a Docker engine.

The folder is a repository with that many small files and a few large ones. The baseline is `docker run` of the same
image with the same limits and a copy of that folder as a bind mount, so that nothing of one is warm for the other.
Rounds alternate. Inside, each piece of work is done once to warm the caches and then timed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from modelled import modelled
from sandbox.engine import USER, Shell
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess

from benchmarks.sandbox import LIMITS, started_at, wait_until_ready

_LARGE_FILES = 10
_WORK = {
    "git status": "git status --porcelain",
    "read 20 MB in 5,000 files": "cat small/0*/* small/1*/* | sha1sum",
    "write 2,000 files": "rm -rf made; mkdir made; for n in $(seq 2000); do echo $n > made/$n; done",
    "git add and commit 2,000 files": "git add -A; git commit -qm made; git reset -q --hard HEAD~1",
    "change 1,000 files": "for n in $(seq 0 999); do echo more >> small/20/$n; done; git checkout -q small",
}


def make(folder: Path, files: int, gigabytes: float) -> None:
    """Make the repository."""
    content = b"x" * 4000 + b"\n"
    for number in range(files):
        place = folder / "small" / f"{number // 1000:02}" / str(number % 1000)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    for number in range(_LARGE_FILES):
        with (folder / f"large-{number}").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, int((gigabytes * 1e9 - files * 4001) / _LARGE_FILES)))
    (folder / ".gitignore").write_text("large-*\n")
    git = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "gc.auto=0"]
    subprocess.run([*git, "init", "-q", "-b", "main"], cwd=folder, check=True)
    subprocess.run([*git, "add", "-A"], cwd=folder, check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], cwd=folder, check=True)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", folder], check=True)


def script() -> str:
    """Return what runs inside: it prints each piece of work with its milliseconds."""
    lines = [
        "cd /workspace; git config --global user.name Ann; git config --global user.email ann@example.com",
        "git config --global --add safe.directory '*'; now() { date +%s%N; }",
        "git status --porcelain > /dev/null; cat small/*/* > /dev/null",
    ]
    for name, work in _WORK.items():
        lines.append(f'began=$(now); {{ {work}; }} > /dev/null; echo "{name}=$(( ($(now) - began) / 1000 ))"')
    return "\n".join(lines)


def inside(text: str) -> dict[str, float]:
    """Read what the script printed, in milliseconds."""
    told = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: int(value) / 1000 for name, _, value in told if name in _WORK}


def launches(shell: Shell, small: Shell, plain: list[str], rounds: int) -> None:
    """Print the time from a launch to the program."""
    command = [sys.executable, "-c", "from daemon.cli.main import main; main()"]
    taken: dict[str, list[float]] = {"docker run": [], "a layer over it": [], "a layer over an empty folder": []}
    shell.inside("true", options=("--land", "never"))
    for _ in range(rounds):
        taken["docker run"].append(started_at([*plain, "date", "+%s.%N"]))
        for name, each in (("a layer over it", shell), ("a layer over an empty folder", small)):
            wait_until_ready()
            words = each.words("date", "+%s.%N", options=("--land", "never"))
            taken[name].append(started_at([*command, *words], cwd=each.workspace, env=each.environment()))
    base = median(taken["docker run"])
    for name, values in taken.items():
        print(f"{name}: {median(values) * 1e3:.0f} ms to the program, {median(values) / base:.2f} times docker run")


def work(shell: Shell, plain: list[str], rounds: int) -> None:
    """Print what work takes in a layer and in a bind mount."""
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for _ in range(rounds):
        ended = shell.inside("sh", "-c", script(), options=("--land", "never"), seconds=600)
        ours.append(inside(ended.stdout))
        done = subprocess.run([*plain, "sh", "-c", script()], capture_output=True, text=True, check=True)
        theirs.append(inside(done.stdout))
    for name in _WORK:
        layer, bind = (median(each[name] for each in found) for found in (ours, theirs))
        print(f"{name}: bind mount {bind:.0f} ms, layer {layer:.0f} ms, ratio {layer / bind:.2f}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("launches", "work"), help="measure only this half")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, UpstreamProcess() as upstream, ModelProcess() as model:
        folder = Path(name)
        folder.chmod(0o755)
        for each in ("large", "small", "bind"):
            (folder / each).mkdir()
        with modelled(folder / "small", upstream=upstream, model=model, key="sk-benchmark") as world:
            large, small = Shell(world, folder / "large"), Shell(world, folder / "small")
            for place in (large.workspace, folder / "bind"):
                make(place, given.files, given.gigabytes)
            tag = json.loads(large.run("sandbox", "build", "codex", "--json", seconds=900).stdout)["tag"]
            bind = ["-v", f"{folder / 'bind'}:/workspace", "-e", "HOME=/home/agent"]
            plain = ["docker", "run", "--rm", *LIMITS, "--tmpfs", f"/home/agent:uid={USER}", *bind, "-w", "/workspace"]
            if given.only != "work":
                launches(large, small, [*plain, tag], given.rounds)
            if given.only != "launches":
                work(large, [*plain, tag], given.rounds)
            world.stop()


if __name__ == "__main__":
    main()

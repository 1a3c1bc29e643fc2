"""What a command costs: `--help`, `version` and completion against a Python that only imports Typer, and a listing
against a bare Python that asks the daemon the same.

Run: python -m benchmarks.command_line [--rounds 21]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services.upstream import UpstreamProcess
from world import ROOT, World

BARE = """
import http.client, json, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("GET", "/v1/secrets", headers={"Authorization": f"Bearer {sys.argv[2]}"})
print(json.dumps(json.loads(connection.getresponse().read()), indent=2))
"""
OURS = "from daemon.cli.main import main; main()"
TYPER = "python -c 'import typer'"
REQUEST = "a bare request"
COMPLETION = {"_AILERON_COMPLETE": "bash"}
BOUNDS = {
    "aileron --help": (TYPER, 1.5),
    "aileron version": (TYPER, 1.5),
    "completion of a command": (TYPER, 1.5),
    "aileron secret list": (REQUEST, 2.0),
    "aileron secret list --json": (REQUEST, 2.0),
}
"""What is measured, against what, and how many times as long it may take."""


def taken(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return how long a command took, and its processor time, which a busy machine changes less."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def main() -> None:
    """Measure, alternating."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        World(Path(folder), upstream=upstream.url) as world,
    ):
        world.start()
        environment = os.environ | {"AILERON_HOME": str(world.home), "PYTHONPATH": str(ROOT)}
        port, token = world.control_url.rsplit(":", 1)[1], world.discovery["token"]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            TYPER: [sys.executable, "-c", "import typer"],
            REQUEST: [sys.executable, "-c", BARE, port, token],
            "aileron --help": [sys.executable, "-c", OURS, "--help"],
            "aileron version": [sys.executable, "-c", OURS, "version"],
            "completion of a command": [sys.executable, "-c", OURS],
            "completion of an action's name": [sys.executable, "-c", OURS],
            "aileron secret list": [sys.executable, "-c", OURS, "secret", "list"],
            "aileron secret list --json": [sys.executable, "-c", OURS, "secret", "list", "--json"],
        }
        completed = {"completion of a command": "aileron bin", "completion of an action's name": "aileron action run p"}
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(given.rounds):
            for name, command in commands.items():
                line = {**COMPLETION, "_AILERON_COMPLETE_LINE": completed[name]} if name in completed else {}
                times[name].append(taken(command, environment | line))
        world.stop()
    for name, values in times.items():
        walls, used = ([pair[at] * 1e3 for pair in values] for at in (0, 1))
        print(f"{name}: {median(walls):.0f} ms ({min(walls):.0f} to {max(walls):.0f}), processor {median(used):.0f} ms")
    for name, (against, most) in BOUNDS.items():
        wall, used = (median(p[at] for p in times[name]) / median(p[at] for p in times[against]) for at in (0, 1))
        print(f"{name} against {against}: {wall:.2f}, processor {used:.2f}; at most {most}")


if __name__ == "__main__":
    main()

"""What a command costs before and after it asks the daemon: against a bare Python that asks the same.

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


def taken(command: list[str], environment: dict[str, str]) -> float:
    """Return how long a command took."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


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
            "a bare request": [sys.executable, "-c", BARE, port, token],
            "aileron --version": [sys.executable, "-c", OURS, "--version"],
            "aileron secret list --json": [sys.executable, "-c", OURS, "secret", "list", "--json"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(given.rounds):
            for name, command in commands.items():
                times[name].append(taken(command, environment))
        for name, values in times.items():
            print(f"{name}: {median(values) * 1e3:.0f} ms ({min(values) * 1e3:.0f} to {max(values) * 1e3:.0f})")
        ratio = median(times["aileron secret list --json"]) / median(times["a bare request"])
        print(f"a command against a bare request: {ratio:.1f}")
        world.stop()


if __name__ == "__main__":
    main()

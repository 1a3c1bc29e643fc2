"""What a sandbox costs: against a plain `docker run` of the same image with the same limits, and against a host launch.

Run: python -m benchmarks.sandbox [--rounds 15] [--agents codex,claude,...]      (needs a Docker engine; builds images)
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from modelled import modelled
from sandbox.engine import USER, Shell, engine
from sandbox.test_sandboxed_agents import ARGUMENTS, OPTIONS
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess
from world import ROOT, World

CALLS = 300
MANY = 10
LIMITS = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{USER}:{USER}"),
    *("--pids-limit", "512", "--memory", "4g", "--memory-swap", "4g", "--cpus", "2", "--ipc", "private"),
    *("--tmpfs", "/tmp", "--tmpfs", "/home/agent"),
)


def started_at(command: list[str], **options: Any) -> float:
    """Return how long it took from here to the program inside, which says when it began."""
    began = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=True, **options)
    return float(re.search(r"^\d+\.\d+$", done.stdout, re.MULTILINE)[0]) - began  # type: ignore[index]


def launch_time(world: World, shell: Shell, tag: str, rounds: int) -> None:
    """Print launch to exec, alternating: with a network that is ready, with none, and what the engine takes alone."""
    ours = [sys.executable, "-c", "from daemon.cli.main import main; main()", *shell.words("date", "+%s.%N")]
    plain = ["docker", "run", "--rm", *LIMITS, "-v", f"{shell.workspace}:/workspace", tag, "date", "+%s.%N"]
    environment = {"cwd": shell.workspace, "env": shell.environment()}
    taken: dict[str, list[float]] = {"docker run": [], "aileron launch --sandbox": [], "the same, nothing ready": []}
    shell.inside("true")
    for _ in range(rounds):
        taken["docker run"].append(started_at(plain))
        wait_until_ready()
        taken["aileron launch --sandbox"].append(started_at(ours, **environment))
    world.stop()
    world.start(AILERON_SANDBOX__READY_SECONDS="0s")
    for _ in range(rounds):
        taken["the same, nothing ready"].append(started_at(ours, **environment))
    world.stop()
    world.start()
    world.unlock()
    imported = "import time, daemon.cli.main, daemon.cli.launch.command, daemon.cli.client; print(f'{time.time():.9f}')"
    bare = median(started_at([sys.executable, "-c", imported], cwd=ROOT) for _ in range(rounds))
    base = median(taken["docker run"])
    for name, values in taken.items():
        spread = f"{min(values) * 1e3:.0f} to {max(values) * 1e3:.0f}"
        print(f"{name}: {median(values) * 1e3:.0f} ms to the program ({spread}), {median(values) / base:.2f} times")
    print(f"limit 1.5; of it the command line's own start: {bare * 1e3:.0f} ms")


def wait_until_ready() -> None:
    """Wait for the berth of the next launch, which is made while the one before it runs; agents run for longer."""
    client = engine()
    deadline = time.monotonic() + 20
    while (
        len(client.containers(filters={"label": "io.aileron.role=anchor"})) != 1
        or client.containers(all=True, filters={"label": "io.aileron.role=firewall"})
        or client.containers(all=True, filters={"label": "io.aileron.role=agent"})
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.close()


def first_request(world: World, shell: Shell, model: ModelProcess, agents: list[str], where: dict[str, str]) -> None:
    """Print launch to the first model request, for each agent."""
    for agent in agents:
        taken = []
        for _ in range(3):
            model.script("")
            began = time.time()
            ended = shell.run("launch", "--sandbox", *OPTIONS.get(agent, ()), agent, "--", *ARGUMENTS[agent])
            assert ended.returncode == 0, ended.stderr
            session = world.ok("GET", "/v1/sessions?limit=1")["items"][0]["id"]
            events = world.ok("GET", f"/v1/audit?type=gateway.request&session={session}&limit=100")["items"]
            times = [
                datetime.fromisoformat(event["time"]).timestamp() - event["payload"]["aileron.ms"] / 1e3
                for event in events
            ]
            taken.append(min(times) - began)
        size = engine().inspect_image(where[agent])["Size"] / 1e6
        print(f"{agent}: {median(taken) * 1e3:.0f} ms to its first model request; image {size:.0f} MB")


def calls(world: World, shell: Shell) -> None:
    """Print what the container adds to a tool call."""
    (shell.workspace / "mcp_calls.py").write_text((ROOT / "benchmarks" / "mcp_calls.py").read_text())
    arguments = json.dumps({"url": f"{world.upstream}/item", "body": "{}"})
    taken: dict[str, list[float]] = {"host": [], "sandbox": []}
    for _ in range(3):
        inside = shell.inside("aileron-python", "mcp_calls.py", "/opt/aileron/bin/aileron-mcp", arguments, str(CALLS))
        taken["sandbox"].append(float(inside.stdout))
        _, token = world.session(kind="host")
        environment = {"AILERON_URL": world.agent_url, "AILERON_TOKEN": token, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(ROOT / "benchmarks" / "mcp_calls.py"), f"{sys.executable} -P -m aileron_mcp"]
        done = subprocess.run(
            [*command, arguments, str(CALLS)], env=os.environ | environment, capture_output=True, text=True, check=True
        )
        taken["host"].append(float(done.stdout))
    host, sandbox = median(taken["host"]), median(taken["sandbox"])
    print(f"tools/call p50: host {host:.2f} ms, sandbox {sandbox:.2f} ms, ratio {sandbox / host:.2f} (limit 1.10)")


def memory(world: World, folder: Path) -> None:
    """Print what each of many sandboxes takes."""
    assert world.process is not None
    status = Path(f"/proc/{world.process.pid}/statm")
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    before = int(status.read_text().split()[1]) * page
    shells = []
    for number in range(MANY):
        place = folder / f"many-{number}"
        place.mkdir()
        shells.append(Shell(world, place))
    processes = [shell.start(*shell.words("sleep", "600")) for shell in shells]
    while sum(item["ready"] for item in world.ok("GET", "/v1/sandboxes")["items"]) < MANY:
        time.sleep(0.1)
    client = engine()
    used = []
    for item in world.ok("GET", "/v1/sandboxes")["items"]:
        taken = 0.0
        for name in (f"aileron-{item['id']}", f"aileron-{item['id']}-network"):
            stats = client.stats(name, stream=False)["memory_stats"]
            taken += (stats["usage"] - stats["stats"].get("total_inactive_file", 0)) / 2**20
        used.append(taken)
    client.close()
    after = int(status.read_text().split()[1]) * page
    for process in processes:
        process.terminate()
    for process in processes:
        process.communicate(timeout=60)
    each = (after - before) / MANY
    print(
        f"{MANY} sandboxes at once: {median(used):.0f} MiB in the containers of each, {each:.1f} MiB each in the daemon"
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--agents", default="codex,claude,goose,opencode,pi")
    given = parser.parse_args()
    agents = given.agents.split(",")
    with tempfile.TemporaryDirectory() as name, UpstreamProcess() as upstream, ModelProcess() as model:
        folder = Path(name)
        folder.chmod(0o755)
        upstream.behave("/item", json={"ok": True})
        with modelled(folder, upstream=upstream, model=model, key="sk-benchmark") as world:
            world.add_action("post-item")
            shell = Shell(world, folder)
            where = {}
            for agent in {"codex", *agents}:
                built = shell.run("sandbox", "build", agent, "--json", seconds=900)
                where[agent] = json.loads(built.stdout)["tag"]
            launch_time(world, shell, where["codex"], given.rounds)
            first_request(world, shell, model, agents, where)
            calls(world, shell)
            memory(world, folder)
            world.stop()


if __name__ == "__main__":
    main()

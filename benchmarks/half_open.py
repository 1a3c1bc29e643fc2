"""What half-open connections to the agent API cost everybody else. The attacker has no token.

Run: python -m benchmarks.half_open [--connections 20000] [--seconds 20]

Four processes open connections on loopback, send half of a head on each, and open a new one for each that is closed.
Meanwhile the control API and the agent API are asked on new connections, as commands and agents do. Printed is how long
that took, how much memory the daemon has, and how many sessions of living processes and approvals of theirs were lost.
"""

import argparse
import http.client
import os
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services.upstream import UpstreamProcess
from world import World

ATTACKERS = 4
SESSIONS = 20
HALF = b"GET /v1/actions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "
PATIENCE = 5.0
PAUSE = 0.05
QUIET_SECONDS = 3.0
_BIND_ADDRESS_NO_PORT = 24


def attack(port: int, connections: int, seconds: float) -> None:
    """Hold so many half-open connections for so long."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    selector = selectors.DefaultSelector()
    opened = most = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(min(200, connections - len(selector.get_map()))):
            made = socket.socket()
            made.setblocking(False)
            # An address for each process, because one has too few ports for this. All of them are this machine.
            made.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            made.bind((f"127.0.0.{2 + os.getpid() % 200}", 0))
            made.connect_ex(("127.0.0.1", port))
            selector.register(made, selectors.EVENT_WRITE)
            opened += 1
        for key, events in selector.select(0.005):
            one: socket.socket = key.fileobj  # type: ignore[assignment]
            try:
                if events & selectors.EVENT_WRITE:
                    one.send(HALF)
                    selector.modify(one, selectors.EVENT_READ)
                    continue
                gone = not one.recv(4096)
            except OSError:
                gone = True
            if gone:
                selector.unregister(one)
                one.close()
        most = max(most, len(selector.get_map()))
    print(opened, most)


class Probe(threading.Thread):
    """Asks one thing again and again, each time on a new connection."""

    def __init__(self, url: str, path: str, token: str) -> None:
        super().__init__(daemon=True)
        place = urlsplit(url)
        self._place = (place.hostname or "", place.port)
        self._path = path
        self._token = token
        self._told = threading.Event()
        self.times: list[float] = []
        self.failures: list[str] = []

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._told.wait(PAUSE):
            begun = time.monotonic()
            connection = http.client.HTTPConnection(*self._place, timeout=PATIENCE)
            try:
                connection.request("GET", self._path, headers={"Authorization": f"Bearer {self._token}"})
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException) as problem:
                self.failures.append(type(problem).__name__)
            else:
                if status == http.client.OK:
                    self.times.append((time.monotonic() - begun) * 1000)
                else:
                    self.failures.append(str(status))
            finally:
                connection.close()

    def finish(self) -> None:
        """Ask no more."""
        self._told.set()
        self.join()

    def told(self, name: str) -> str:
        """Return a line on how it went."""
        if not self.times:
            return f"{name}: no answer in {len(self.failures)} tries ({', '.join(sorted(set(self.failures)))})"
        line = f"{name}: p50 {median(self.times):.1f} ms, max {max(self.times):.1f} ms of {len(self.times)} answers"
        kinds = f" ({', '.join(sorted(set(self.failures)))})" if self.failures else ""
        return f"{line}, {len(self.failures)} without one{kinds}"


def mebibytes(pid: int, name: str) -> float:
    """Return a size of a process: VmRSS is what it has, VmHWM the most it had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def measure(world: World, token: str, *, connections: int, seconds: float) -> dict[str, Any]:
    """Attack, ask meanwhile, and return what was seen."""
    assert world.process is not None
    port = urlsplit(world.agent_url).port
    before = mebibytes(world.process.pid, "VmRSS")
    quiet = Probe(world.control_url, "/v1/status", world.discovery["token"])
    quiet.start()
    time.sleep(QUIET_SECONDS)
    quiet.finish()
    control = Probe(world.control_url, "/v1/status", world.discovery["token"])
    agent = Probe(world.agent_url, "/v1/actions", token)
    command = [sys.executable, "-m", "benchmarks.half_open", "--attack", str(port)]
    command += ["--connections", str(connections // ATTACKERS), "--seconds", str(seconds)]
    attackers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(ATTACKERS)]
    for probe in (control, agent):
        probe.start()
    told = [attacker.communicate()[0].split() for attacker in attackers]
    for probe in (control, agent):
        probe.finish()
    return {
        "opened": sum(int(words[0]) for words in told),
        "held": sum(int(words[1]) for words in told),
        "quiet": quiet,
        "control": control,
        "agent": agent,
        "before": before,
        "most": mebibytes(world.process.pid, "VmHWM"),
        "after": mebibytes(world.process.pid, "VmRSS"),
    }


def state_of(world: World) -> tuple[int, int]:
    """Return how many sessions have ended, and how many approvals are not pending any more."""
    sessions = world.ok("GET", "/v1/sessions")["items"]
    approvals = world.ok("GET", "/v1/approvals")["items"]
    ended = sum(session["ended_at"] is not None for session in sessions)
    return ended, SESSIONS - sum(approval["state"] == "pending" for approval in approvals)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--attack", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.attack:
        attack(given.attack, given.connections, given.seconds)
        return
    owners = [subprocess.Popen(["sleep", "3600"]) for _ in range(SESSIONS)]
    try:
        with (
            tempfile.TemporaryDirectory() as name,
            UpstreamProcess() as upstream,
            World(Path(name), upstream=upstream.url) as world,
        ):
            world.start()
            world.set_up()
            world.add_action("post", approval=True)
            body = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
            tokens = [world.session(owner_pid=owner.pid)[1] for owner in owners]
            for token in tokens:
                assert world.agent("POST", "/v1/actions/post/run", body, token=token).status_code == 202
            seen = measure(world, tokens[0], connections=given.connections, seconds=given.seconds)
            time.sleep(2)
            ended, lost = state_of(world)
        print(f"attack: {seen['opened']} connections opened, {seen['held']} thought to be held at once")
        print(seen["quiet"].told("control API before the attack"))
        print(seen["control"].told("control API"))
        print(seen["agent"].told("agent API"))
        print(f"sessions ended: {ended} of {SESSIONS}; approvals lost: {lost} of {SESSIONS}")
        print("memory: {before:.0f} MiB before, {most:.0f} MiB at most, {after:.0f} MiB after".format(**seen))
    finally:
        for owner in owners:
            owner.kill()
            owner.wait()


if __name__ == "__main__":
    main()

"""aileron-mcp against a bare server of the same SDK with the same tools: how long until it lists them, and per call.

Run: python -m benchmarks.mcp_server [--rounds 15]

Both are started and spoken to in the same way, by hand over the pipe; rounds alternate. A call of ours ends in a
finished action at a loopback service; its baseline is the daemon's own run, asked over HTTP, plus an echo of the bare
server.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services.upstream import UpstreamProcess
from world import World

from benchmarks.processor import ProcessorTime

CALLS = 300
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


class Piped:
    """A server process and the protocol by hand."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True)
        self._id = 0

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params or {}}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        while True:
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
            if answer.get("id") == self._id:
                return answer

    def list_tools(self) -> list[dict[str, Any]]:
        """Shake hands and list the tools."""
        self.ask("initialize", HANDSHAKE)
        tools: list[dict[str, Any]] = self.ask("tools/list")["result"]["tools"]
        return tools

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def timed(work: Any) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare_starts(theirs: list[str], ours: list[str], env: dict[str, str], *, rounds: int) -> None:
    """Measure how long each server takes from its start to its list of tools, in turns."""
    starts: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(rounds):
        for name, command in (("bare", theirs), ("ours", ours)):
            began = time.perf_counter()
            server = Piped(command, env)
            server.list_tools()
            starts[name].append(time.perf_counter() - began)
            server.close()
    ratio = median(a / b for a, b in zip(starts["ours"], starts["bare"], strict=True))
    print(f"spawn to tools/list, bare SDK server {median(starts['bare']) * 1e3:6.0f} ms")
    mine = median(starts["ours"]) * 1e3
    print(f"spawn to tools/list, aileron-mcp     {mine:6.0f} ms   ratio {ratio:.2f} (limit 1.15)")


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        World(Path(folder), upstream=upstream.url) as world,
    ):
        upstream.behave("/bench", json={"ok": True})
        world.start()
        world.set_up()
        for number in range(10):
            world.add_action(f"bench-{number}")
        session, token = world.session()
        env = (
            dict(os.environ)
            | {"PYTHONPATH": str(Path.cwd())}
            | {"AILERON_URL": world.agent_url, "AILERON_TOKEN": token, "AILERON_SESSION_ID": session}
        )
        ours = [sys.executable, "-P", "-m", "aileron_mcp"]
        first = Piped(ours, env)
        tools = Path(folder) / "tools.json"
        tools.write_text(json.dumps(first.list_tools()))
        first.close()
        theirs = [sys.executable, "-P", "-m", "benchmarks.bare_mcp_server", str(tools)]
        compare_starts(theirs, ours, env, rounds=given.rounds)
        arguments = {"url": f"{world.upstream}/bench", "body": '{"n":1}'}
        bare_server, our_server = Piped(theirs, env), Piped(ours, env)
        bare_server.list_tools()
        our_server.list_tools()
        call = {"name": "bench_0", "arguments": arguments}
        echoes, runs, calls = [], [], []
        assert world.process is not None
        before = ProcessorTime.of(world.process.pid)
        with httpx.Client(trust_env=False, timeout=30) as http:
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{world.agent_url}/v1/actions/bench-0/run"
            for _ in range(CALLS):
                echoes.append(timed(lambda: bare_server.ask("tools/call", call)))
                runs.append(timed(lambda: http.post(url, json={"arguments": arguments}, headers=headers)))
                calls.append(timed(lambda: our_server.ask("tools/call", call)))
        used = ProcessorTime.of(world.process.pid).each(before, 2 * CALLS)
        bare_server.close()
        our_server.close()
        floor = median(echoes) + median(runs)
        print(
            f"echo of the bare server {median(echoes) * 1e3:6.2f} ms, the daemon's own run {median(runs) * 1e3:6.2f} ms"
        )
        print(f"call to finished action {median(calls) * 1e3:6.2f} ms   ratio {median(calls) / floor:.2f} (limit 1.3)")
        print(f"  processor time of the daemon {used} a run")


if __name__ == "__main__":
    main()

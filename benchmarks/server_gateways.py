"""What a call of an MCP server's tool costs through Aileron, and through other people's gateways, in one run.

Run: python -m benchmarks.server_gateways [--calls 1000] [--rounds 5] [--unpinned] [--without-peers]

One client speaks to each over pipes: to the server itself, to `aileron-mcp` (with the daemon behind it, a rule for the
tool and the durable log on), to the proxy of FastMCP, and to MCP Hangar. The two are installed for this, at the
versions of `benchmarks/peers`. Rounds alternate. Gateways and servers run on one processor and the client on another,
unless it is told otherwise. The processor time is that of a gateway with all its processes, without the server.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from servers.served_world import ServedWorld

from benchmarks.server_peer import ECHO

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benchmarks" / "peers"
TEXT = "x" * 200
AT_ONCE = (1, 16)
_ITSELF = "the server itself"
RULE = '[approvals.rules.echo__echo]\ndecision = "allow"\nreason = "It only says it again."\n'
FASTMCP = """
import sys
from fastmcp.server import create_proxy
echo = {"command": sys.argv[1], "args": sys.argv[2:]}
create_proxy({"mcpServers": {"echo": echo}}).run(show_banner=False)
"""


@dataclass
class Client:
    """A client of one gateway, as plain as can be, so that what is measured is the gateway."""

    name: str
    process: "subprocess.Popen[bytes]"
    apart: set[int] = field(default_factory=set)
    """Processes that belong to the gateway, and are no descendants of it."""
    tool: str = ""
    number: int = 0

    def open(self) -> None:
        """Say hello and find the tool."""
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "calls", "version": "1"}}
        self.ask("initialize", hello)
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        deadline = time.monotonic() + 30
        while not self.tool:
            names = [tool["name"] for tool in self.ask("tools/list", {})["tools"]]
            self.tool = next((name for name in names if name.endswith("echo")), "")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} lists {names}")

    def ask(self, method: str, params: object) -> dict[str, list[dict[str, str]]]:
        """Ask one thing and wait for its answer."""
        self.number += 1
        self._write({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        return self._answer()

    def calls(self, count: int, at_once: int) -> list[float]:
        """Call so many times, so many under way at a time; return how long each took."""
        began: dict[int, float] = {}
        taken = []
        for asked in range(count + at_once):
            if asked < count:
                self.number += 1
                began[self.number] = time.perf_counter()
                params = {"name": self.tool, "arguments": {"text": TEXT}}
                self._write({"jsonrpc": "2.0", "id": self.number, "method": "tools/call", "params": params})
            if asked + 1 >= at_once and began:
                number, result = self._next()
                taken.append(time.perf_counter() - began.pop(number))
                if result["content"][0]["text"] != TEXT:
                    raise RuntimeError(f"{self.name} answers {result}")
        return taken

    def processor_seconds(self) -> float:
        """Return the processor time of the gateway so far."""
        ours = {self.process.pid} | self.apart
        return sum(_spent(pid) for pid in ours)

    def _write(self, message: Mapping[str, object]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def _next(self) -> tuple[int, dict[str, list[dict[str, str]]]]:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            message = json.loads(line)
            if "id" in message and "method" not in message:
                if "result" not in message:
                    raise RuntimeError(f"{self.name} answers {message}")
                return message["id"], message["result"]
        raise RuntimeError(f"{self.name} has ended")

    def _answer(self) -> dict[str, list[dict[str, str]]]:
        number, result = self._next()
        assert number == self.number
        return result


def _spent(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(
    name: str, command: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Client]:
    """Run a gateway while its client is used."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=os.environ | dict(environment or {}),
    )
    client = Client(name, process)
    try:
        client.open()
        yield client
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def aileron(folder: Path, echo: list[str]) -> Iterator[Client]:
    """Run a daemon with the server behind it, and aileron-mcp before it."""
    with ServedWorld(folder, {"echo": echo}, upstream="http://127.0.0.1:9", settings=RULE) as world:
        world.start()
        _, token = world.session()
        world.look(token, "echo__echo")
        environment = {"AILERON_URL": world.agent_url, "AILERON_TOKEN": token, "PYTHONPATH": str(ROOT)}
        with started("aileron", [sys.executable, "-P", "-m", "aileron_mcp"], folder, environment) as client:
            assert world.process is not None
            client.apart = {world.process.pid}
            yield client


def installed(name: str, folder: Path) -> Path:
    """Install a peer into a folder of its own; return where its programs are."""
    uv = Path(sys.executable).with_name("uv")
    place = folder / name
    subprocess.run([uv, "venv", "--quiet", place], check=True)
    into = ["--python", place / "bin" / "python", "--require-hashes", "-r", PEERS / f"{name}.txt"]
    subprocess.run([uv, "pip", "install", "--quiet", *into], check=True)
    return place / "bin"


@contextmanager
def hangar(folder: Path, echo: list[str], programs: Path) -> Iterator[Client]:
    """Run MCP Hangar with limits that are out of the way."""
    config = folder / "hangar.yaml"
    settings = {
        "tool_access": {"mode": "front_door"},
        "rate_limit": {"rps": 100000, "burst": 100000, "per_caller": {"rps": 100000, "burst": 100000}},
        "auth": {"stdio": {"principal": {"id": "me", "tenant_id": "me", "roles": ["admin"]}}},
        "mcp_servers": {"echo": {"mode": "subprocess", "command": echo}},
    }
    config.write_text(json.dumps(settings))
    with started("MCP Hangar", [str(programs / "mcp-hangar"), "serve", "--config", str(config)], folder) as client:
        yield client


def descendants(pid: int) -> set[int]:
    """Return a process and all that it has started, and they."""
    found = {pid}
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found |= descendants(int(child))
    return found


def pin(clients: list[Client]) -> None:
    """Put every thread of the gateways and servers on one processor, and this process on another."""
    if not hasattr(os, "sched_setaffinity"):
        return
    mine, theirs, *_ = sorted(os.sched_getaffinity(0))
    for client in clients:
        for root in {client.process.pid} | client.apart:
            for pid in descendants(root):
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    with suppress(ProcessLookupError):  # it has just ended
                        os.sched_setaffinity(int(thread.name), {theirs})
    os.sched_setaffinity(0, {mine})


def measure(clients: list[Client], rounds: int, count: int) -> None:
    """Call through each in turn, and print the middle of the rounds."""
    for client in clients:
        client.calls(100, 16)
    for at_once in AT_ONCE:
        speed: dict[str, list[float]] = {client.name: [] for client in clients}
        halves: dict[str, list[float]] = {client.name: [] for client in clients}
        spent: dict[str, list[float]] = {client.name: [] for client in clients}
        for _ in range(rounds):
            for client in clients:
                used, began = client.processor_seconds(), time.perf_counter()
                taken = client.calls(count, at_once)
                speed[client.name].append(count / (time.perf_counter() - began))
                spent[client.name].append((client.processor_seconds() - used) / count)
                halves[client.name].append(median(taken))
        base = median(speed[_ITSELF])
        print(f"{at_once} in flight")
        for name, found in speed.items():
            spread = f"{min(found):.0f} to {max(found):.0f}"
            line = f"  {name:18} {median(found):6.0f} calls a second ({spread}), ratio {median(found) / base:.3f}"
            line += f"; p50 {median(halves[name]) * 1e3:.2f} ms"
            if name != _ITSELF:
                line += f"; {median(spent[name]) * 1e3:.2f} ms of processor time a call"
            print(line)


def main() -> None:
    """Start everything and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--unpinned", action="store_true", help="leave the processors to the scheduler")
    parser.add_argument("--without-peers", action="store_true", help="only the server itself and Aileron")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        program = folder / "echo.py"
        program.write_text(ECHO)
        echo = [sys.executable, "-IS", str(program), "handshake"]
        clients = [stack.enter_context(started(_ITSELF, echo, folder))]
        clients.append(stack.enter_context(aileron(folder, echo)))
        if not given.without_peers:
            fastmcp = installed("fastmcp", folder) / "python"
            proxy = [str(fastmcp), "-c", FASTMCP, *echo]
            clients.append(stack.enter_context(started("FastMCP's proxy", proxy, folder)))
            programs = installed("mcp-hangar", folder)
            clients.append(stack.enter_context(hangar(folder, echo, programs)))
        if not given.unpinned:
            pin(clients)
        measure(clients, given.rounds, given.calls)


if __name__ == "__main__":
    main()

"""What a call of an MCP server's tool costs over the agent API, with a rule for each tool and the durable log on.

Run: python -m benchmarks.server_calls [--calls 4000] [--tools 500]

The server says again what it is told, over its pipes. Client, daemon and server are three processes. A list of many
tools is measured beside it. Aims: 1,000 calls a second at 16 in flight, and a list of 500 tools in 20 ms.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from servers.served_world import ServedWorld

from benchmarks.server_peer import ECHO

MANY = """
import json, sys
tools = [
    {"name": f"tool_{n}", "description": "Does one of many things. " * 10, "inputSchema": {"type": "object",
     "properties": {f"p{i}": {"type": "string", "description": "What it is about."} for i in range(6)}}}
    for n in range(int(sys.argv[1]))
]
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "many", "version": "1"}}
for line in sys.stdin:
    asked = json.loads(line)
    found = {"initialize": HELLO, "tools/list": {"tools": tools}}.get(asked["method"])
    reply = {"result": found} if found else {"error": {"code": -32601, "message": "no"}}
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **reply}), flush=True)
"""
RULE = '[approvals.rules.echo__echo]\ndecision = "allow"\nreason = "It only says it again."\n'


def processor_seconds(pid: int) -> float:
    """Return how much processor time a process has taken."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


async def calls(world: ServedWorld, token: str, count: int, at_once: int) -> str:
    """Call so many times, so many in flight, and say how fast that was."""
    assert world.process is not None
    body = json.dumps({"arguments": {"text": "x" * 200}})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as client:

        async def some(number: int) -> None:
            for _ in range(number):
                async with client.post(f"{world.agent_url}/v1/tools/echo__echo/call", data=body) as answer:
                    assert answer.status == 200, await answer.text()

        await some(50)
        began, spent = time.perf_counter(), processor_seconds(world.process.pid)
        await asyncio.gather(*(some(count // at_once) for _ in range(at_once)))
        taken, spent = time.perf_counter() - began, processor_seconds(world.process.pid) - spent
    done = count // at_once * at_once
    return f"{at_once:>2} in flight: {done / taken:5.0f} calls a second, {spent / done * 1e3:.3f} ms of the daemon each"


def listing(world: ServedWorld, token: str) -> str:
    """List many times, and say how long one takes with everything around it."""
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        listed = world.agent("GET", "/v1/tools", token=token).json()["items"]
        taken.append((time.perf_counter() - began) * 1e3)
    return f"{len(listed)} tools listed in {median(taken):.1f} ms, client included"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--tools", type=int, default=500)
    given = parser.parse_args()
    python = [sys.executable, "-Es", "-c"]
    servers = {"echo": [*python, ECHO, "modern"]} | {
        f"many{number}": [*python, MANY, str(given.tools // 10)] for number in range(10)
    }
    settings = f"{RULE}[servers]\nlisted_tools = 10000\n"
    with (
        tempfile.TemporaryDirectory() as folder,
        ServedWorld(Path(folder), servers, upstream="http://127.0.0.1:9", settings=settings) as world,
    ):
        world.start()
        _, token = world.session()
        for name in ("echo__echo", *(f"many{number}__tool_0" for number in range(10))):
            world.look(token, name)
        print(listing(world, token))
        for at_once in (1, 16):
            print(asyncio.run(calls(world, token, given.calls, at_once)))


if __name__ == "__main__":
    main()

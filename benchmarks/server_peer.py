"""Prints the processor time of one call to an MCP server: our peer, and the client of the official SDK, in one run.

Both call the same echo server over its pipes, one call after the other and sixteen at a time. What is counted is the
time of this process alone. Run it alone on the machine: `python -m benchmarks.server_peer [calls]`.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median

import uvloop

CALLS = 3000
ROUNDS = 3
TEXT = "x" * 200
# As small as a server can be, so that it does not hold the clients up.
ECHO = r"""
import json, sys
SERVER = {"name": "echo", "version": "1"}
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
DISCOVERED = {
    "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete", "ttlMs": 0,
    "cacheScope": "private", "_meta": {"io.modelcontextprotocol/serverInfo": SERVER},
}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": SERVER}
LISTED = {"tools": [{"name": "echo", "inputSchema": SCHEMA}], "resultType": "complete", "ttlMs": 0,
          "cacheScope": "private"}
for line in sys.stdin.buffer:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    if asked["method"] == "server/discover":
        found = DISCOVERED if sys.argv[1] == "modern" else None
    elif asked["method"] == "initialize":
        found = HELLO
    elif asked["method"] == "tools/list":
        found = LISTED
    else:
        text = asked["params"]["arguments"]["text"]
        found = {"content": [{"type": "text", "text": text}], "resultType": "complete"}
    reply = {"result": found} if found else {"error": {"code": -32601, "message": "no"}}
    sys.stdout.buffer.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **reply}).encode() + b"\n")
    sys.stdout.buffer.flush()
"""

Call = Callable[[], Awaitable[object]]


async def main() -> None:
    """Measure and print."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    print(f"{calls} calls, the middle of {ROUNDS} rounds; microseconds of processor time a call, and calls a second")
    for era in ("handshake", "modern"):
        for name, run in {"ours": ours, "SDK": sdk}.items():
            await run(name, era, calls)


async def ours(name: str, era: str, calls: int) -> None:
    """Call through our peer."""
    from daemon.tools.servers.upstream.connecting import connect
    from daemon.tools.servers.upstream.limits import Limits
    from daemon.tools.servers.upstream.pipes import Pipes
    from daemon.tools.servers.upstream.seam import Asking
    from daemon.tools.servers.upstream.stdio import StdioTransport

    class Deaf:
        def notice(self, method: str, params: object) -> None:
            pass

    theirs, into = os.pipe()
    output, written = os.pipe()
    process = await asyncio.create_subprocess_exec(*(sys.executable, "-ISc", ECHO, era), stdin=theirs, stdout=written)
    os.close(theirs)
    os.close(written)
    pipes = Pipes()
    await pipes.read_from(output)
    await pipes.write_to(into)
    server = await connect(StdioTransport(pipes), name="echo", notices=Deaf(), limits=Limits())
    asking = Asking(seconds=60)
    await measured(name, era, calls, lambda: server.call_tool("echo", {"text": TEXT}, asking))
    await server.close()
    await process.wait()


async def sdk(name: str, era: str, calls: int) -> None:
    """Call through the client of the SDK."""
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    parameters = StdioServerParameters(command=sys.executable, args=["-ISc", ECHO, era])
    async with Client(stdio_client(parameters)) as client:
        await measured(name, era, calls, lambda: client.session.call_tool("echo", {"text": TEXT}))


async def measured(name: str, era: str, calls: int, call: Call) -> None:
    """Make the calls, one at a time and sixteen at a time, and print what they took."""

    async def some(count: int) -> None:
        for _ in range(count):
            await call()

    await some(200)
    for at_once in (1, 16):
        spent, speed = [], []
        for _ in range(ROUNDS):
            cpu, wall = time.process_time(), time.perf_counter()
            await asyncio.gather(*(some(calls // at_once) for _ in range(at_once)))
            spent.append((time.process_time() - cpu) / calls * 1e6)
            speed.append(calls / (time.perf_counter() - wall))
        print(f"{name:5} {era:10} {at_once:3} at once {median(spent):7.0f} us {median(speed):7.0f} /s")


if __name__ == "__main__":
    uvloop.run(main())

"""Makes 64 calls at once whose answers of 10 KB unpack to 10 MiB, and prints what that took: run by a test, or by hand.

Run: python -m tests.http.many_large_answers
"""

import asyncio
import gzip
import json
import re
import time
from pathlib import Path
from typing import Any

from daemon.connectors.http import NetworkPolicy, OutboundHttp
from daemon.core.authority import HostPort
from tests.services.outbound import Call, WallClock, manifest_for

CALLS = 64
SIZE = 10 << 20


def memory_mib(field: str) -> int:
    """Return a figure of this process: VmHWM is its peak, VmRSS what it takes now."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


async def main() -> dict[str, Any]:
    """Measure."""
    body = gzip.compress(b" " * SIZE)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=CALLS)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    http = OutboundHttp(policy=NetworkPolicy(allow_private=frozenset({HostPort.parse(place)})), clock=WallClock())
    await http.start()
    before = memory_mib("VmRSS")

    async def one() -> bool:
        call = Call(http, manifest_for(place), seconds=250)
        ok, text = await call.context(json.dumps({"method": "GET", "url": f"http://{place}/"}))
        await asyncio.sleep(0.02)  # the guest takes its answer
        del text
        call.context.close()
        return ok

    work = asyncio.gather(*(one() for _ in range(CALLS)))
    longest, last = 0.0, time.monotonic()
    while not work.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    answered = sum(work.result())
    del work
    await http.close()
    server.close()
    return {
        "answered": answered,
        "before_mib": before,
        "peak_mib": memory_mib("VmHWM"),
        "after_mib": memory_mib("VmRSS"),
        "longest_pause_seconds": round(longest, 3),
        "held": http.held_bytes,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))

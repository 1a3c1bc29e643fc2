"""What a connector costs by its language: size, compiling, one call, and the least memory and fuel of a call.

    python -m benchmarks.connector_languages NAME=FOLDER[@OPERATION] ...

A folder is one that a page docs/connector-in-... leads to. The operation is `latest_release` if none is named; the
answer to its request is there at once.
"""

import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.wasm_echo import SystemClock
from daemon.connectors.wasm import CallLimits, WasmRuntime
from daemon.connectors.wasm.errors import ConnectorFault

_CALLS = 200
_MIB = 1024 * 1024
_ARGUMENTS = json.dumps({"repo": "owner/name"})
_ANSWER = {"tag_name": "v1", "published_at": "2026-01-01T00:00:00Z", "html_url": "https://example.com/"}


async def measure(name: str, folder: Path, op: str) -> None:
    """Print one line about one connector."""
    wasm = (folder / "release" / "connector.wasm").read_bytes()
    with tempfile.TemporaryDirectory() as cache:
        runtime = WasmRuntime(cache_dir=Path(cache), clock=SystemClock(), entropy=os.urandom)
        began, used = time.perf_counter(), _children()
        loaded = await runtime.load(wasm)
        compiled, worked = time.perf_counter() - began, _children() - used

        async def call(*, fuel: int = 10**11, memory: int = 64 * _MIB) -> None:
            await runtime.execute(
                loaded,
                op,
                _ARGUMENTS,
                http=_answer,
                log=lambda _level, _message: None,
                manifest_json="{}",
                limits=CallLimits(seconds=60, fuel=fuel, memory_bytes=memory),
            )

        times = []
        for _ in range(_CALLS):
            start = time.perf_counter()
            await call()
            times.append(time.perf_counter() - start)
        memory = await _least(lambda value: call(memory=value * 65536), 1024) / 16
        fuel = await _least(lambda value: call(fuel=value * 10_000), 10**6) / 100
        runtime.close()
    print(
        f"{name}: {len(wasm) / 1e6:.1f} MB, compiled in {compiled:.1f} s ({worked:.1f} s of processor time), "
        f"a call {statistics.median(times) * 1000:.2f} ms, {memory:.1f} MiB, {fuel:.2f} million units of fuel"
    )


async def _answer(_request: str) -> tuple[bool, str]:
    return True, json.dumps({"status": 200, "headers": [], "body": json.dumps(_ANSWER)})


async def _least(call: Callable[[int], Awaitable[None]], most: int) -> int:
    """Return the least value with which the call still succeeds."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        try:
            await call(middle)
        except ConnectorFault:
            low = middle
        else:
            high = middle
    return high


def _children() -> float:
    """Return the processor time of the children that have ended: the compilers."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


async def main() -> None:
    for given in sys.argv[1:]:
        name, _, place = given.partition("=")
        folder, _, op = place.partition("@")
        await measure(name, Path(folder), op or "latest_release")


if __name__ == "__main__":
    asyncio.run(main())

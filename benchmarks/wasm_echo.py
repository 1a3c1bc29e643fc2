"""What a call through our runtime costs beside a bare wasmtime call, for connectors in several languages.

Bare: wasmtime's Python interface on one pinned thread: a new store with limits, instantiate, call, drop.
Ours: `await runtime.execute(...)` on the event loop: the same, with the hop to a worker's thread and back.
The two take turns in blocks, in one process, and medians are compared.

    python -m benchmarks.wasm_echo [--go PATH-TO-GO] [--component NAME=FILE.wasm ...]
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvloop
import wasmtime
from wasmtime import component as wc

from connectors.build import SOURCES, compile_c
from daemon.connectors.wasm import CallLimits, LoadedConnector, WasmRuntime
from daemon.connectors.wasm.componentize import componentize
from daemon.connectors.wasm.engine import make_engine
from daemon.connectors.wasm.interface import HOST_INTERFACE

GUESTS = Path(__file__).with_name("wasm_guests")
ARGUMENTS = json.dumps({"text": "x" * 1000})
IN_FLIGHT = (2, 4, 8, 32)


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


def build_guests(scratch: Path, go: str | None) -> dict[str, bytes]:
    """Build every guest whose tools are there."""
    guests = {"C": compile_c(GUESTS / "c" / "connector.c")}
    zig = scratch / "zig.wasm"
    _run(
        [sys.executable, "-m", "ziglang", "build-exe", str(GUESTS / "connector.zig"), "-target", "wasm32-freestanding",
         "-O", "ReleaseSmall", "-fno-entry", "-rdynamic", f"-femit-bin={zig}"],
        scratch,
    )  # fmt: skip
    guests["Zig"] = zig.read_bytes()
    shutil.copy(GUESTS / "python" / "app.py", scratch)
    tool = Path(sys.executable).with_name("componentize-py")
    world = ["-d", str(SOURCES / "connector.wit"), "-w", "connector"]
    _run([str(tool), *world, "componentize", "app", "-o", "python.wasm", "--stub-wasi"], scratch)
    guests["Python"] = (scratch / "python.wasm").read_bytes()
    if go is not None:
        output = scratch / "go.wasm"
        _run(
            [go, "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", str(output)],
            GUESTS / "go",
            GOOS="wasip1", GOARCH="wasm", GOCACHE=str(scratch / "go-cache"), GOFLAGS="-buildvcs=false",
        )  # fmt: skip
        guests["Go"] = output.read_bytes()
    return guests


def _run(command: list[str], folder: Path, **environment: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, **environment})


def bare_caller(wasm: bytes) -> Callable[[], None]:
    """Prepare a program for bare calls."""
    engine = make_engine()
    component = wc.Component(engine, componentize(wasm))
    linker = wc.Linker(engine)
    with linker.root() as root, root.add_instance(HOST_INTERFACE) as host:
        host.add_func("http", lambda _store, _request: wc.Variant("ok", "{}"))
        host.add_func("log", lambda _store, _level, _message: None)
        host.add_func("now-ms", lambda _store: 1.7e12)  # Go does not start at time zero
        host.add_func("random-hex", lambda _store, count: "5a" * count)
        host.add_func("manifest", lambda _store: "{}")
    index = component.get_export_index("execute")
    assert index is not None

    def call() -> None:
        store = wasmtime.Store(engine)
        store.set_limits(memory_size=64 << 20, memories=4, instances=64, tables=8, table_elements=100_000)
        store.set_fuel(10**11)
        store.set_epoch_deadline(1000)
        function: Any = linker.instantiate(store, component).get_func(store, index)
        if function(store, "echo", ARGUMENTS).payload != ARGUMENTS:
            raise AssertionError("the guest does not echo")
        store.close()

    return call


def timed(call: Callable[[], None], times: int) -> list[float]:
    """Time a call, in microseconds."""
    spent = []
    for _ in range(times):
        before = time.perf_counter_ns()
        call()
        spent.append((time.perf_counter_ns() - before) / 1000)
    return spent


async def measure(name: str, wasm: bytes, runtime: WasmRuntime, rounds: int) -> None:
    """Measure one guest and print its line."""
    loaded = await runtime.load(wasm)
    limits = CallLimits(seconds=30)

    async def http(_request: str) -> tuple[bool, str]:
        return True, "{}"

    async def call(given: LoadedConnector = loaded) -> None:
        answer = await runtime.execute(
            given, "echo", ARGUMENTS, http=http, log=lambda _level, _message: None, manifest_json="{}", limits=limits
        )
        if answer != ARGUMENTS:
            raise AssertionError("the guest does not echo")

    bare = bare_caller(wasm)
    loop = asyncio.get_running_loop()
    pinned = ThreadPoolExecutor(1, initializer=lambda: os.sched_setaffinity(threading.get_native_id(), {_last_cpu()}))
    bare_times: list[float] = []
    our_times: list[float] = []
    block = 100
    for turn in range(rounds + 1):
        new_bare = await loop.run_in_executor(pinned, timed, bare, block)
        new_ours = []
        for _ in range(block):
            before = time.perf_counter_ns()
            await call()
            new_ours.append((time.perf_counter_ns() - before) / 1000)
        if turn:  # the first turn warms up
            bare_times += new_bare
            our_times += new_ours
    pinned.shutdown()
    rates = []
    for width in IN_FLIGHT:
        each = max(1, rounds * block // width // 2)

        async def repeat(times: int = each) -> None:
            for _ in range(times):
                await call()

        started = time.perf_counter()
        await asyncio.gather(*(repeat() for _ in range(width)))
        rates.append(each * width / (time.perf_counter() - started))
    bare_median, our_median = statistics.median(bare_times), statistics.median(our_times)
    sys.stdout.write(
        f"{name:<10} {len(wasm) / 1024:>9.0f} {bare_median:>9.1f} {our_median:>9.1f} {our_median / bare_median:>7.2f}"
        f" {1e6 / bare_median:>9.0f} " + " ".join(f"{rate:>7.0f}" for rate in rates) + "\n"
    )
    sys.stdout.flush()


def _last_cpu() -> int:
    return max(os.sched_getaffinity(0))


async def run(guests: dict[str, bytes], rounds: int, cache: Path) -> None:
    """Measure every guest."""
    sys.stdout.write(
        f"{'guest':<10} {'KiB':>9} {'bare us':>9} {'ours us':>9} {'ratio':>7} {'bare/s':>9} "
        + " ".join(f"{f'{width} /s':>7}" for width in IN_FLIGHT)
        + "\n"
    )
    runtime = WasmRuntime(cache_dir=cache, clock=SystemClock(), entropy=os.urandom)
    try:
        for name, wasm in guests.items():
            await measure(name, wasm, runtime, rounds if len(wasm) < 2**20 else max(1, rounds // 4))
    finally:
        runtime.close()


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wasm_echo", description=__doc__)
    parser.add_argument("--go", default=shutil.which("go"), help="the Go compiler, if it is not on the path")
    parser.add_argument("--component", action="append", default=[], metavar="NAME=FILE", help="measure a built one too")
    parser.add_argument("--rounds", type=int, default=20, help="blocks of 100 calls of each kind")
    parser.add_argument("--asyncio", action="store_true", help="use asyncio's own event loop instead of uvloop")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        guests = build_guests(Path(scratch), given.go)
        for named in given.component:
            name, _, path = named.partition("=")
            guests[name] = Path(path).read_bytes()
        work = run(guests, given.rounds, Path(scratch, "cache"))
        if given.asyncio:
            asyncio.run(work)
        else:
            uvloop.run(work)


if __name__ == "__main__":
    main()

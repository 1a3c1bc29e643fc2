"""The child process that compiles an untrusted program: it bounds itself, then turns one file into another.

Compiling is the most expensive thing an unknown program can make us do, so it happens where running out of memory,
time or luck costs a child and not the daemon. Run as: python -I compiler.py <wasm file> <output file>
"""

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path

import wasmtime
from wasmtime.component import Component

# Run as a file in isolated mode, so that nothing but the installed packages can be imported: our own root included.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from daemon.connectors.wasm.componentize import componentize
from daemon.connectors.wasm.engine import make_engine
from daemon.connectors.wasm.errors import ConnectorRejected
from daemon.connectors.wasm.inspection import check_component

MEMORY_BYTES = 4 * 2**30
CPU_SECONDS = 120
OUTPUT_BYTES = 512 * 2**20
OPEN_FILES = 64

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def confine() -> None:
    """Give this process limits that it cannot raise, and have the kernel end it with its parent."""
    os.umask(0o077)
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        ceiling = resource.getrlimit(limit)[1]
        wanted = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
        try:
            resource.setrlimit(limit, (wanted, wanted))
        except (OSError, ValueError):
            # macOS refuses RLIMIT_AS; the others still hold, and so does the parent's timeout.
            continue
    os.nice(5)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def compile_file(source: Path, target: Path) -> None:
    """Wrap, check and compile one program."""
    engine = make_engine()
    try:
        component = Component(engine, componentize(source.read_bytes()))
    except wasmtime.WasmtimeError as error:
        # The engine quotes names out of the program; ascii() keeps them from passing for anything else.
        first = str(error).strip().splitlines() or ["no reason given"]
        detail = ": ".join(dict.fromkeys((first[0], first[-1].strip())))
        raise ConnectorRejected(f"connector.wasm is not valid WebAssembly: {ascii(detail[:500])[1:-1]}") from error
    check_component(component, engine)
    target.write_bytes(component.serialize())


def main(source: str, target: str) -> None:
    """Compile, and print one line of JSON with the outcome."""
    confine()
    outcome: dict[str, str | bool] = {"ok": True}
    try:
        compile_file(Path(source), Path(target))
    except ConnectorRejected as refused:
        outcome = {"ok": False, "rejected": str(refused)}
    except MemoryError:
        outcome = {"ok": False, "rejected": "Compiling connector.wasm needs more memory than it may use."}
    sys.stdout.write(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])

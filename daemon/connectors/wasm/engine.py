"""The WebAssembly engine: its settings, and the clock by which running programs are interrupted."""

import hashlib
import platform
import threading
from importlib.metadata import version

import wasmtime

TICK_SECONDS = 0.01
_IDLE_TICKS = 100

_SWITCHES = {
    "consume_fuel": True,
    "epoch_interruption": True,
    # The same inputs give the same outputs on every machine, whatever its floating-point unit leaves in a NaN.
    "cranelift_nan_canonicalization": True,
    "wasm_relaxed_simd_deterministic": True,
    # Shared memory makes outcomes depend on timing; 64-bit memories and collected heaps escape the memory limit.
    "wasm_threads": False,
    "shared_memory": False,
    "wasm_memory64": False,
    "wasm_gc": False,
    "wasm_stack_switching": False,
}


def make_engine() -> wasmtime.Engine:
    """Make an engine; every engine of one version accepts what another one compiled."""
    config = wasmtime.Config()
    for name, value in _SWITCHES.items():
        setattr(config, name, value)
    return wasmtime.Engine(config)


def engine_tag() -> str:
    """Name the version, settings and machine that compiled programs depend on, short enough for a file name."""
    settings = ",".join(f"{name}={value}" for name, value in sorted(_SWITCHES.items()))
    digest = hashlib.sha256(f"{settings};{platform.system()}".encode()).hexdigest()[:8]
    return f"wasmtime{version('wasmtime')}-{platform.machine()}-{digest}"


class Ticker:
    """Advances the engine's epoch every 10 ms while guests run.

    It has a thread of its own, because a busy event loop must not stop it, and sleeps when no guest runs.
    """

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._wake = threading.Event()
        self._closing = False
        self._resting = True
        self._used = False
        self._thread: threading.Thread | None = None

    def touch(self) -> None:
        """Say that a guest is computing; every interrupt of a guest says so again."""
        self._used = True

    def ensure_running(self) -> None:
        """See to it that the epoch advances; called before every call, so it costs nothing when it does already."""
        self._used = True
        if self._resting:
            self._resting = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wasm-ticker", daemon=True)
                self._thread.start()
            self._wake.set()

    def close(self) -> None:
        """Stop ticking and end the thread."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        idle = 0
        while not self._closing:
            if self._wake.wait(TICK_SECONDS):
                self._wake.clear()
            self._engine.increment_epoch()
            idle = 0 if self._used else idle + 1
            self._used = False
            if idle > _IDLE_TICKS:
                self._rest()
                idle = 0

    def _rest(self) -> None:
        """Sleep until somebody needs the epoch."""
        self._resting = True
        if not self._used and not self._closing:
            self._wake.wait()

"""What the tests of the WebAssembly room share: a runtime with a real clock, and built connectors."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from wasm.real_clock import RealClock

from connectors.build import SOURCES, compile_c
from daemon.connectors.wasm import CallLimits, LoadedConnector, WasmRuntime
from daemon.core.turn import Turn


class Harness:
    """A runtime, and a short way to call an operation on it."""

    def __init__(self, cache_dir: Path) -> None:
        self.cache_dir = cache_dir
        self.runtime = self.make()
        self.log: list[tuple[int, str]] = []
        self.requests: list[str] = []

    def make(self, **options: Any) -> WasmRuntime:
        return WasmRuntime(cache_dir=self.cache_dir, clock=RealClock(), entropy=os.urandom, **options)

    async def http(self, request: str) -> tuple[bool, str]:
        self.requests.append(request)
        return True, '{"status":200,"headers":[],"body":"{\\"n\\": 1}"}'

    async def run(
        self,
        loaded: LoadedConnector,
        op: str,
        args: str = "{}",
        *,
        http: Any = None,
        manifest: str = "{}",
        turn: Turn | None = None,
        **limits: Any,
    ) -> str:
        return await self.runtime.execute(
            loaded,
            op,
            args,
            http=http or self.http,
            log=lambda level, message: self.log.append((level, message)),
            manifest_json=manifest,
            limits=CallLimits(**{"seconds": 60.0, **limits}),
            turn=turn,
        )


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    """Make a runtime with a cache of its own, and close it."""
    made = Harness(tmp_path / "cache")
    yield made
    made.runtime.close()


@pytest.fixture(scope="session")
def wellbehaved_wasm() -> bytes:
    """Return the connector that behaves."""
    return compile_c(SOURCES / "wellbehaved" / "connector.c")


@pytest.fixture(scope="session")
def hostile_wasm() -> bytes:
    """Return the connector that does not."""
    return compile_c(SOURCES / "hostile" / "connector.c")


@pytest.fixture
async def wellbehaved(harness: Harness, wellbehaved_wasm: bytes) -> LoadedConnector:
    """Load the connector that behaves."""
    return await harness.runtime.load(wellbehaved_wasm)


@pytest.fixture
async def hostile(harness: Harness, hostile_wasm: bytes) -> LoadedConnector:
    """Load the connector that does not."""
    return await harness.runtime.load(hostile_wasm)


@pytest.fixture(scope="session")
def wat() -> Callable[[str], bytes]:
    """Assemble WebAssembly text."""
    return lambda text: bytes(wasmtime.wat2wasm(text))

"""What the tests of the WebAssembly room share: a runtime with a real clock, and built connectors."""

import os
import subprocess
import sys
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


PYTHON_CONNECTOR = """
import json
import wit_world
from wit_world.imports import host


class WitWorld(wit_world.WitWorld):
    def describe(self) -> str:
        return json.dumps({"abi": 1, "ops": ["echo", "everything"]})

    def execute(self, op: str, args: str) -> str:
        if op == "echo":
            return args
        host.log(2, "hello from Python")
        return json.dumps({
            "manifest": json.loads(host.manifest()), "http": json.loads(host.http("{}")),
            "random": host.random_hex(8), "now": host.now_ms(),
        })
"""


@pytest.fixture(scope="session")
def python_component(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Build a connector written in Python: seconds of work, so once."""
    folder = tmp_path_factory.mktemp("python-connector")
    (folder / "app.py").write_text(PYTHON_CONNECTOR)
    tool = Path(sys.executable).with_name("componentize-py")
    subprocess.run(
        [
            tool,
            "-d",
            SOURCES / "connector.wit",
            "-w",
            "connector",
            "componentize",
            "app",
            "-o",
            "c.wasm",
            "--stub-wasi",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return (folder / "c.wasm").read_bytes()

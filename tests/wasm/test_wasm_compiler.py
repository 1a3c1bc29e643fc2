"""Compiling happens in a child that is bounded, and every way it can end is an answer."""

import asyncio
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from daemon.connectors.wasm import ConnectorCancelled, ConnectorRejected, compiler
from daemon.connectors.wasm.compilation import Compilation
from daemon.connectors.wasm.limits import MAX_WASM_BYTES


def _program(functions: int, operations: int) -> str:
    body = "(i32.add (i32.const 1)" * operations + "(local.get 0)" + ")" * operations
    return "".join(f"(func (param i32) (result i32) {body})" for _ in range(functions))


@pytest.fixture(scope="module")
def expensive(wat: Any) -> bytes:
    """A valid connector that takes a long time to compile: much code, and none of it is ever called."""
    return bytes(
        wat(
            '(module (memory (export "memory") 1)'
            ' (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)'
            ' (func (export "describe") (result i32) i32.const 0)'
            f' (func (export "execute") (param i32 i32 i32 i32) (result i32) i32.const 0) {_program(8000, 300)})'
        )
    )


@pytest.mark.parametrize(
    "binary",
    [
        b"",
        b"hello",
        b"\0asm\x0d\0\x01\0" + b"\xff" * 100,
        b"\0asm\x01\0\0\0" + b"\x0a\xff\xff\xff\xff\x0f",
        b"\0asm\x0d\0\x01\0\x01" + b"\x80" * 9,
    ],
)
async def test_an_invalid_program_is_rejected_with_a_message(harness: Any, binary: bytes) -> None:
    with pytest.raises(ConnectorRejected, match=r"connector\.wasm is n"):
        await harness.runtime.prepare(binary)
    assert list(harness.cache_dir.iterdir()) == []


async def test_a_program_whose_code_is_invalid_is_rejected_with_the_reason(harness: Any, wat: Any) -> None:
    valid = wat(
        '(module (memory (export "memory") 1)'
        ' (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)'
        ' (func (export "describe") (result i32) i32.const 0)'
        ' (func (export "execute") (param i32 i32 i32 i32) (result i32) i32.const 7))'
    )
    with pytest.raises(ConnectorRejected, match=r"not valid WebAssembly: .*type mismatch"):
        await harness.runtime.prepare(valid.replace(b"\x41\x07", b"\x42\x07"))


async def test_a_program_that_is_too_large_is_rejected_before_any_work(harness: Any) -> None:
    with pytest.raises(ConnectorRejected, match="64 MiB"):
        await harness.runtime.prepare(b"\0asm\x01\0\0\0" + bytes(MAX_WASM_BYTES))


async def test_a_compilation_that_takes_too_long_is_stopped(tmp_path: Path, expensive: bytes) -> None:
    source = tmp_path / "slow.wasm"
    source.write_bytes(expensive)
    started = time.monotonic()
    with pytest.raises(ConnectorRejected, match=r"longer than 0\.4 s"):
        await Compilation(timeout_seconds=0.4).compile_file(source, tmp_path / "out")
    assert time.monotonic() - started < 15
    assert not _children()


async def test_cancelling_and_closing_kill_the_child(tmp_path: Path, expensive: bytes) -> None:
    source = tmp_path / "slow.wasm"
    source.write_bytes(expensive)
    compilation = Compilation()
    task = asyncio.ensure_future(compilation.compile_file(source, tmp_path / "out"))
    await eventually(lambda: bool(_children()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _children()
    task = asyncio.ensure_future(compilation.compile_file(source, tmp_path / "out"))
    await eventually(lambda: bool(_children()))
    compilation.close()
    with pytest.raises(ConnectorCancelled):
        await task
    assert not _children()


async def _being_started(source: Path, target: Path) -> tuple[Compilation, "asyncio.Future[None]"]:
    """Return a compilation whose child is there and not known to it yet; on a busy machine that takes some tries."""
    for _ in range(100):
        compilation = Compilation()
        task = asyncio.ensure_future(compilation.compile_file(source, target))
        while not _children():  # noqa: ASYNC110 - the first moment at which it is there
            await asyncio.sleep(0)
        if compilation._child is None:
            return compilation, task
        compilation.close()
        with pytest.raises(ConnectorCancelled):
            await task
    raise AssertionError("the child was always known when it was seen")


async def test_closing_kills_a_child_that_is_only_being_started(tmp_path: Path, expensive: bytes) -> None:
    source = tmp_path / "slow.wasm"
    source.write_bytes(expensive)
    compilation, task = await _being_started(source, tmp_path / "out")
    compilation.close()
    with pytest.raises(ConnectorCancelled):
        await task
    assert not (tmp_path / "out").exists()
    assert not _children()


async def test_the_child_has_a_process_group_of_its_own(tmp_path: Path, expensive: bytes) -> None:
    source = tmp_path / "slow.wasm"
    source.write_bytes(expensive)
    compilation = Compilation()
    task = asyncio.ensure_future(compilation.compile_file(source, tmp_path / "out"))
    await eventually(lambda: bool(_children()))
    [child] = _children()
    assert os.getpgid(child) == child
    compilation.close()
    with pytest.raises(ConnectorCancelled):
        await task


def test_the_child_confines_itself() -> None:
    script = (
        "import sys, resource; sys.path.insert(0, sys.argv[1]);"
        "from daemon.connectors.wasm import compiler; compiler.confine();"
        "print(*(resource.getrlimit(limit)[1] for limit in"
        " (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE,"
        " resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)))"
    )
    root = str(Path(compiler.__file__).parents[3])
    shown = subprocess.run([sys.executable, "-c", script, root], capture_output=True, text=True, check=True).stdout
    limits = [int(number) for number in shown.split()]
    assert limits == [
        compiler.MEMORY_BYTES,
        compiler.CPU_SECONDS,
        compiler.OUTPUT_BYTES,
        compiler.OPEN_FILES,
        0,
    ]
    assert resource.getrlimit(resource.RLIMIT_CORE)  # and this process is as it was


async def test_a_child_that_runs_out_of_memory_is_an_answer(
    tmp_path: Path, expensive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real child, with a limit that its start fits into and its work does not."""
    copy = _tighter_compiler(tmp_path)
    source = tmp_path / "big.wasm"
    source.write_bytes(expensive)
    monkeypatch.setattr(compiler, "__file__", str(copy))
    with pytest.raises(ConnectorRejected, match=r"memory|status"):
        await Compilation().compile_file(source, tmp_path / "out")


def _tighter_compiler(folder: Path) -> Path:
    original = Path(compiler.__file__)
    text = original.read_text().replace("MEMORY_BYTES = 4 * 2**30", "MEMORY_BYTES = 100 * 2**20")
    copy = folder / "compiler.py"
    copy.write_text(text.replace("str(Path(__file__).resolve().parents[3])", repr(str(original.parents[3]))))
    return copy


def _children() -> list[int]:
    """Return the compilers among this process's children; other tests may have left children of their own."""
    numbers = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(number) for number in numbers if b"compiler" in _command(number)]


def _command(number: str) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""

"""Core modules become components: any subset of the interface, WASI preview 1 answered inside, all else refused."""

import time
from itertools import permutations
from typing import Any

import pytest

from daemon.connectors.wasm import ConnectorCrash, ConnectorRejected
from daemon.connectors.wasm.componentize import componentize
from daemon.connectors.wasm.interface import HOST_INTERFACE

IMPORTS = {
    "http": f'(import "{HOST_INTERFACE}" "http" (func $http (param i32 i32 i32)))',
    "log": f'(import "{HOST_INTERFACE}" "log" (func $log (param i32 i32 i32)))',
    "now-ms": f'(import "{HOST_INTERFACE}" "now-ms" (func $now (result f64)))',
    "random-hex": f'(import "{HOST_INTERFACE}" "random-hex" (func $random (param i32 i32)))',
    "manifest": f'(import "{HOST_INTERFACE}" "manifest" (func $manifest (param i32)))',
}
P1 = "wasi_snapshot_preview1"


def module(imports: str = "", body: str = "", *, more: str = "", exports: str = "") -> str:
    """Write a module whose execute runs the body and returns the eight bytes at address 128 as text."""
    return f"""(module {imports}
      (memory (export "memory") 1)
      (global $heap (mut i32) (i32.const 4096))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap) (global.set $heap (i32.add (global.get $heap) (local.get 3))))
      (data (i32.const 80) "\\58\\00\\00\\00\\16\\00\\00\\00{{\\"abi\\":1,\\"ops\\":[\\"op\\"]}}")
      (data (i32.const 128) "--------")
      (func (export "describe") (result i32) i32.const 80)
      (func (export "execute") (param i32 i32 i32 i32) (result i32)
        {body}
        (i32.store8 (i32.const 112) (i32.const 0))
        (i32.store (i32.const 116) (i32.const 128)) (i32.store (i32.const 120) (i32.const 8))
        i32.const 112) {more} {exports})"""


USE = {
    "http": "(call $http (i32.const 128) (i32.const 8) (i32.const 200))"
    "(i32.store8 (i32.const 128) (i32.load8_u (i32.load (i32.const 204))))",
    "log": "(call $log (i32.const 2) (i32.const 128) (i32.const 8)) (i32.store8 (i32.const 129) (i32.const 76))",
    "now-ms": "(if (f64.gt (call $now) (f64.const 1.7e12)) (then (i32.store8 (i32.const 130) (i32.const 78))))",
    "random-hex": "(call $random (i32.const 4) (i32.const 200))"
    "(i32.store8 (i32.const 131) (i32.add (i32.const 48) (i32.load (i32.const 204))))",
    "manifest": "(call $manifest (i32.const 200))(i32.store8 (i32.const 132) (i32.load8_u (i32.load (i32.const 200))))",
}
MARK = {"http": "{", "log": "L", "now-ms": "N", "random-hex": "8", "manifest": "M"}


@pytest.mark.parametrize(
    "names",
    [
        (),
        *((name,) for name in IMPORTS),
        *list(permutations(IMPORTS, 2))[::3],
        tuple(IMPORTS),
        tuple(reversed(IMPORTS)),
    ],
    ids=lambda names: "+".join(names) or "nothing",
)
async def test_any_subset_of_the_interface_in_any_order_runs(harness: Any, wat: Any, names: tuple[str, ...]) -> None:
    binary = wat(module("".join(IMPORTS[name] for name in names), "".join(USE[name] for name in names)))
    prepared = await harness.runtime.prepare(binary)
    assert prepared.ops == ("op",)
    loaded = await harness.runtime.load(binary)
    expected = "".join(MARK[name] if name in names else "-" for name in IMPORTS) + "---"
    assert await harness.run(loaded, "op", manifest="Manifest") == expected


async def test_initialize_runs_before_anything_else_and_may_use_the_host(harness: Any, wat: Any) -> None:
    binary = wat(
        module(
            IMPORTS["log"],
            more='(func (export "_initialize") (call $log (i32.const 1) (i32.const 128) (i32.const 8))'
            " (i32.store8 (i32.const 128) (i32.const 73)))",
        )
    )
    assert await harness.run(await harness.runtime.load(binary), "op") == "I-------"
    assert harness.log == [(1, "--------")]


async def test_preview1_clock_tells_the_hosts_time_in_nanoseconds(harness: Any, wat: Any) -> None:
    binary = wat(
        module(
            f'(import "{P1}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))',
            "(i32.store8 (i32.const 128) (i32.add (i32.const 48)"
            " (call $clock (i32.const 0) (i64.const 1) (i32.const 200))))"
            f"(if (i64.lt_u (i64.sub (i64.load (i32.const 200)) (i64.const {time.time_ns()})) (i64.const 60000000000))"
            " (then (i32.store8 (i32.const 129) (i32.const 84))))",
        )
    )
    assert await harness.run(await harness.runtime.load(binary), "op") == "0T------"


@pytest.mark.parametrize("size", [0, 1, 2, 31, 32, 33, 64, 100])
async def test_preview1_random_fills_exactly_what_it_was_given(harness: Any, wat: Any, size: int) -> None:
    """The bytes come from the host, the guest's first bytes survive, and its allocator is not used."""
    drawn: list[int] = []

    def entropy(count: int) -> bytes:
        drawn.append(count)
        return bytes(range(0xA0, 0xA0 + count))

    text = module(
        f'(import "{P1}" "random_get" (func $get (param i32 i32) (result i32)))'
        f'(import "{HOST_INTERFACE}" "log" (func $log (param i32 i32 i32)))',
        f"(drop (call $get (i32.const 1000) (i32.const {size})))"
        # Every byte of interest, and one on each side, becomes two letters that can be logged.
        "(local.set 4 (i32.const 999))"
        "(loop $each"
        " (i32.store8 (i32.const 300) (i32.add (i32.const 97) (i32.shr_u (i32.load8_u (local.get 4)) (i32.const 4))))"
        " (i32.store8 (i32.const 301) (i32.add (i32.const 97) (i32.and (i32.load8_u (local.get 4)) (i32.const 15))))"
        " (call $log (i32.const 0) (i32.const 300) (i32.const 2))"
        " (local.set 4 (i32.add (local.get 4) (i32.const 1)))"
        f" (br_if $each (i32.lt_u (local.get 4) (i32.const {1000 + size + 1}))))"
        "(call $log (i32.const 1) (i32.const 0) (i32.const 72))"
        "(call $log (i32.const 1) (i32.const 128) (i32.const 8))",
        more='(data (i32.const 0) "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz")',
    )
    text = text.replace("(result i32)\n        (drop", "(result i32) (local i32)\n        (drop")
    harness.runtime.close()
    harness.runtime = harness.make()
    harness.runtime._services = type(harness.runtime._services)(
        clock=harness.runtime._services.clock, entropy=entropy, ticker=harness.runtime._services.ticker
    )
    loaded = await harness.runtime.load(wat(text))
    await harness.run(loaded, "op", log_lines=200)
    bytes_seen = [(ord(line[0]) - 97) << 4 | (ord(line[1]) - 97) for level, line in harness.log if level == 0]
    assert bytes_seen == [0, *(0xA0 + index % 32 for index in range(size)), 0]
    assert harness.log[-2] == (1, "0123456789abcdefghijklmnopqrstuvwxyz" * 2)
    assert drawn == [32] * -(-size // 32)


async def test_preview1_denies_files_swallows_output_and_has_no_environment(harness: Any, wat: Any) -> None:
    calls = (
        (
            "path_open",
            "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
            "i32 i32 i32 i32 i32 i64 i64 i32 i32",
            8,
        ),
        ("fd_prestat_get", "(param i32 i32) (result i32)", "i32 i32", 8),
        ("environ_sizes_get", "(param i32 i32) (result i32)", "i32 i32", 0),
        ("poll_oneoff", "(param i32 i32 i32 i32) (result i32)", "i32 i32 i32 i32", 52),
        ("sock_send", "(param i32 i32 i32 i32 i32) (result i32)", "i32 i32 i32 i32 i32", 8),
        ("fd_write", "(param i32 i32 i32 i32) (result i32)", "i32 i32 i32 i32", 0),
    )
    imports = "".join(f'(import "{P1}" "{name}" (func ${name} {kind}))' for name, kind, _, _ in calls)
    body = "(i32.store (i32.const 500) (i32.const 600)) (i32.store (i32.const 504) (i32.const 7))"
    for place, (name, _, kinds, _) in enumerate(calls):
        values = {"i32": "(i32.const 500)", "i64": "(i64.const 0)"}
        given = [values[kind] for kind in kinds.split()]
        if name == "fd_write":
            given = ["(i32.const 1)", "(i32.const 500)", "(i32.const 1)", "(i32.const 700)"]
        if name == "environ_sizes_get":
            given = ["(i32.const 800)", "(i32.const 804)"]
        body += f"(i32.store8 (i32.const {128 + place}) (i32.add (i32.const 48) (call ${name} {' '.join(given)})))"
    body += "(i32.store8 (i32.const 134) (i32.add (i32.const 48) (i32.load (i32.const 700))))"
    loaded = await harness.runtime.load(wat(module(imports, body)))
    expected = "".join(chr(48 + errno) for _, _, _, errno in calls) + "7-"
    assert await harness.run(loaded, "op") == expected


async def test_preview1_exit_ends_the_call(harness: Any, wat: Any) -> None:
    binary = wat(module(f'(import "{P1}" "proc_exit" (func $exit (param i32)))', "(call $exit (i32.const 0))"))
    with pytest.raises(ConnectorCrash):
        await harness.run(await harness.runtime.load(binary), "op")


async def test_a_function_imported_twice_works_twice(harness: Any, wat: Any) -> None:
    """Go does this with fd_write."""
    binary = wat(
        module(
            f'(import "{P1}" "sched_yield" (func $one (result i32)))'
            f'(import "{P1}" "sched_yield" (func $two (result i32)))'
            + IMPORTS["log"]
            + IMPORTS["log"].replace("$log", "$log2"),
            "(i32.store8 (i32.const 128) (i32.add (i32.const 48) (i32.add (call $one) (call $two))))"
            "(call $log2 (i32.const 1) (i32.const 128) (i32.const 2))",
        )
    )
    assert await harness.run(await harness.runtime.load(binary), "op") == "0-------"
    assert harness.log == [(1, "0-")]


def test_what_may_not_be_imported_is_listed_with_the_reason(wat: Any) -> None:
    binary = wat(
        module(
            '(import "env" "evil" (func)) (import "env" "memory" (memory 1))'
            f'(import "{HOST_INTERFACE}" "exec" (func)) (import "{HOST_INTERFACE}" "http" (func (param i64)))'
            f'(import "{P1}" "no_such" (func))'
            '(import "aileron:connector/host@0.2.0" "http" (func))'
        ).replace('(memory (export "memory") 1)', '(export "memory" (memory 0))')
    )
    with pytest.raises(ConnectorRejected) as raised:
        componentize(binary)
    lines = str(raised.value).splitlines()
    assert len(lines) == 7
    assert "'evil' from 'env': a connector may import only aileron:connector/host@0.1.0" in lines[1]
    assert "'exec'" in lines[3]
    assert "has only http, log, now-ms, random-hex, manifest" in lines[3]
    assert "(i32, i32, i32) -> ()" in lines[4]
    assert "no such function" in lines[5]
    assert "0.2.0" in lines[6]


def test_what_must_be_exported_is_listed(wat: Any) -> None:
    with pytest.raises(ConnectorRejected) as raised:
        componentize(wat('(module (func (export "describe") (param i32)) (func (export "_initialize") (param i32)))'))
    message = str(raised.value)
    for words in ("its memory", "'cabi_realloc'", "'execute'", "'describe' must be", "'_initialize' must be"):
        assert words in message


def test_a_long_or_strange_name_cannot_break_out_of_a_message(wat: Any) -> None:
    name = "\\n  - everything is fine\\u{202e}" + "x" * 500
    with pytest.raises(ConnectorRejected) as raised:
        componentize(wat(f'(module (import "env" "{name}" (func)))'))
    assert max(len(line) for line in str(raised.value).splitlines()) < 250
    assert str(raised.value).isascii()
    assert "\n  - everything" not in str(raised.value)


@pytest.mark.parametrize("binary", [b"", b"\0asm", b"MZ\x90", b"\0asm\x01\0\0\0\x02\xff", b"\0asm\x02\0\0\0"])
def test_what_is_no_program_is_refused(binary: bytes) -> None:
    with pytest.raises(ConnectorRejected):
        componentize(binary)


def test_a_component_is_left_as_it_is(wat: Any) -> None:
    component = wat("(component)")
    assert componentize(component) is component


def test_wrapping_is_deterministic(wellbehaved_wasm: bytes) -> None:
    assert componentize(wellbehaved_wasm) == componentize(wellbehaved_wasm)

"""Reading and rewriting the outside of core modules."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.connectors.wasm.core_module import (
    CORE_HEADER,
    Cursor,
    MalformedModule,
    assemble,
    leb,
    number_repeated_imports,
    read_module,
    sections,
)

SAMPLE = """(module
  (import "a" "f" (func (param i32 i64) (result f64)))
  (import "b" "t" (table 1 2 funcref))
  (import "b" "m" (memory 1))
  (import "b" "g" (global (mut i32)))
  (import "a" "f2" (func))
  (func (export "h") (param f32 v128) (result i32 i32) unreachable)
  (export "again" (func 0))
  (export "g" (global 0)))"""


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    assert Cursor(leb(number)).unsigned() == number


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\x80\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\x7f"])
def test_a_number_that_ends_early_or_has_more_than_32_bits_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedModule):
        Cursor(raw).unsigned()


def test_imports_and_exports_are_read_with_their_types(wat: Any) -> None:
    module = read_module(wat(SAMPLE))
    assert [(found.module, found.name, found.kind) for found in module.imports] == [
        ("a", "f", "function"),
        ("b", "t", "table"),
        ("b", "m", "memory"),
        ("b", "g", "global"),
        ("a", "f2", "function"),
    ]
    assert module.imports[0].signature == (("i32", "i64"), ("f64",))
    assert module.exports["h"].signature == (("f32", "v128"), ("i32", "i32"))
    assert module.exports["again"].signature == (("i32", "i64"), ("f64",))
    assert module.exports["g"].kind == "global"


def test_taking_a_module_apart_and_putting_it_together_changes_nothing(wat: Any) -> None:
    binary = wat(SAMPLE)
    assert assemble(binary[:8], sections(binary)) == binary
    assert number_repeated_imports(binary) == binary


def test_a_repeated_import_gets_a_number(wat: Any) -> None:
    binary = wat('(module (import "a" "f" (func)) (import "a" "f" (func (param i32))) (import "a" "f" (func)))')
    assert [found.name for found in read_module(number_repeated_imports(binary)).imports] == ["f", "f#2", "f#3"]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for binary in (raw, CORE_HEADER + raw):
        try:
            read_module(binary)
            number_repeated_imports(binary)
        except MalformedModule:
            pass


@given(st.data())
def test_a_damaged_module_is_read_or_refused(data: st.DataObject) -> None:
    binary = bytearray(_SAMPLE_BINARY)
    place = data.draw(st.integers(8, len(binary) - 1))
    binary[place] = data.draw(st.integers(0, 255))
    try:
        read_module(bytes(binary))
    except MalformedModule as refused:
        assert str(refused)  # noqa: PT017 -- both outcomes are right


def _assemble_sample() -> bytes:
    import wasmtime

    return bytes(wasmtime.wat2wasm(SAMPLE))


_SAMPLE_BINARY = _assemble_sample()

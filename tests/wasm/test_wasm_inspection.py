"""A component may import the host interface with the right types and nothing else, and must say what it offers."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.connectors.wasm import ConnectorRejected
from daemon.connectors.wasm.inspection import parse_description

HOST = "aileron:connector/host@0.1.0"
EXPORTS = """
  (core module $m (memory (export "memory") 1) (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0)
    (func (export "d") (result i32) i32.const 0) (func (export "e") (param i32 i32 i32 i32) (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory)) (alias core export $i "r" (core func $r))
  (type $outcome (result string (error string)))
  (func (export "describe") (result string) (canon lift (core func $i "d") (memory $memory) (realloc $r)))
  (func (export "execute") (param "op" string) (param "args" string) (result $outcome)
    (canon lift (core func $i "e") (memory $memory) (realloc $r)))"""


async def _refusal(harness: Any, binary: bytes) -> str:
    with pytest.raises(ConnectorRejected) as raised:
        await harness.runtime.prepare(binary)
    return str(raised.value)


async def test_every_import_beyond_the_interface_is_listed_with_its_reason(harness: Any, wat: Any) -> None:
    message = await _refusal(
        harness,
        wat(
            f"""(component
            (import "wasi:io/poll@0.2.9" (instance (export "poll" (func))))
            (import "aileron:connector/host@0.2.0" (instance (export "http" (func))))
            (import "evil" (func))
            (import "{HOST}" (instance (export "exec" (func)) (export "now-ms" (func (result u64)))
              (export "log" (func (param "level" u8) (param "message" string)))))
            {EXPORTS})"""
        ),
    )
    lines = message.splitlines()
    assert len(lines) == 6
    assert "'wasi:io/poll@0.2.9': connectors get no WASI" in message
    assert "'aileron:connector/host@0.2.0': this runtime offers aileron:connector/host@0.1.0" in message
    assert "'evil': a connector may import only" in message
    assert "'exec' from aileron:connector/host@0.1.0, which has only" in message
    assert "'now-ms' as () -> (u64), not () -> (f64)" in message


async def test_missing_and_wrong_exports_are_listed(harness: Any, wat: Any) -> None:
    assert "must export the function 'describe'" in await _refusal(harness, wat("(component)"))
    wrong = (
        EXPORTS.replace('"op" string', '"op" u8')
        .replace('execute") (param "op" u8) (param "args" string)', 'execute") (param "op" u32) (param "args" string)')
        .replace("(param i32 i32 i32 i32) (result i32) i32.const 0))", "(param i32 i32 i32) (result i32) i32.const 0))")
    )
    assert "its export 'execute' is (u32, string)" in await _refusal(harness, wat(f"(component {wrong})"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must return JSON"),
        ("[" * 100_000, "must return JSON"),
        ("[]", '"abi": 1'),
        ('{"ops": ["a"]}', '"abi": 1'),
        ('{"abi": 2, "ops": ["a"]}', '"abi": 1'),
        ('{"abi": true, "ops": ["a"]}', '"abi": 1'),
        ('{"abi": 1}', '"ops"'),
        ('{"abi": 1, "ops": []}', '"ops"'),
        ('{"abi": 1, "ops": "echo"}', '"ops"'),
        ('{"abi": 1, "ops": ["Echo"]}', "'Echo'"),
        ('{"abi": 1, "ops": ["a b"]}', "'a b'"),
        ('{"abi": 1, "ops": [7]}', "int"),
        ('{"abi": 1, "ops": ["a", "a"]}', "twice"),
    ],
)
def test_a_description_that_breaks_a_rule_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConnectorRejected, match=words):
        parse_description(text)


@given(st.text(max_size=60))
def test_any_text_is_a_description_or_refused(text: str) -> None:
    for said in (text, f'{{"abi": 1, "ops": ["{text}"]}}'):
        try:
            assert parse_description(said)
        except ConnectorRejected as refused:
            assert str(refused)  # noqa: PT017 -- both outcomes are right


async def test_what_describe_does_wrong_rejects_the_connector(harness: Any, wat: Any) -> None:
    for body, words in (
        ("unreachable", "gave up"),
        # On a busy machine its time is over before its instructions are.
        ("(loop $l (br $l)) i32.const 0", "instructions|did not finish within"),
        ("i32.const 0", "must return JSON"),
    ):
        changed = EXPORTS.replace(
            '(func (export "d") (result i32) i32.const 0)', f'(func (export "d") (result i32) {body})'
        )
        assert re.search(words, await _refusal(harness, wat(f"(component {changed})")))


async def test_a_program_that_does_not_start_is_rejected(harness: Any, wat: Any) -> None:
    changed = EXPORTS.replace(
        '(memory (export "memory") 1)', '(memory (export "memory") 1) (func $s unreachable) (start $s)'
    )
    assert "cannot be started" in await _refusal(harness, wat(f"(component {changed})"))


async def test_more_memories_than_four_are_refused(harness: Any, wat: Any) -> None:
    many = "".join(f"(core module $x{n} (memory 1)) (core instance (instantiate $x{n}))" for n in range(4))
    assert "more than 4 memories" in await _refusal(harness, wat(f"(component {many} {EXPORTS})"))


@pytest.mark.parametrize("memory", ['(memory (export "memory") i64 1)', '(memory (export "memory") 1 2 shared)'])
async def test_shared_and_64_bit_memories_are_off(harness: Any, wat: Any, memory: str) -> None:
    changed = EXPORTS.replace('(memory (export "memory") 1)', memory)
    assert "not valid WebAssembly" in await _refusal(harness, wat(f"(component {changed})"))

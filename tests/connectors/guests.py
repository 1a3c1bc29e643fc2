"""Connectors written for one test: WebAssembly text whose operations do exactly what the test says, and nothing else.

An operation is known to the program by the length of its name, which spares it a comparison of strings.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import wasmtime

_HOST = "aileron:connector/host@0.1.0"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request the operation makes, as the JSON it hands to the host."""

    request: str

    @classmethod
    def get(cls, url: str, **fields: object) -> "Ask":
        return cls(request=json.dumps({"method": "GET", "url": url, "headers": []} | fields))

    @classmethod
    def post(cls, url: str, **fields: object) -> "Ask":
        return cls(request=json.dumps({"method": "POST", "url": url, "headers": [], "body": "{}"} | fields))


@dataclass(frozen=True, kw_only=True)
class Say:
    """One line the operation logs."""

    text: str
    level: int = 2


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Log what the last request brought back."""

    level: int = 2


@dataclass(frozen=True, kw_only=True)
class Does:
    """What one operation does: some steps, and then an end.

    The end is "ok" or "err" with a text, "trap", "loop", "answer" (return the last answer as the result), "answer_err"
    (return it as the error) or "arguments" (return the arguments).
    """

    end: str
    text: str = ""
    steps: tuple[Ask | Say | Repeat, ...] = ()


class _Data:
    """Texts in the program's memory."""

    def __init__(self) -> None:
        self.bytes = b"\0" * 64  # the first bytes are where results are written

    def place(self, text: str) -> tuple[int, int]:
        data = text.encode()
        start = len(self.bytes)
        self.bytes += data
        return start, len(data)


def build_guest(ops: Mapping[str, Does]) -> bytes:
    """Return a core module with these operations."""
    if len({len(name) for name in ops}) != len(ops):
        raise ValueError("the operations' names have to differ in length")
    data = _Data()
    described = data.place(json.dumps({"abi": 1, "ops": list(ops)}))
    bodies = "".join(
        f"(if (i32.eq (local.get $op_size) (i32.const {len(name)})) (then {_body(does, data)}))"
        for name, does in ops.items()
    )
    content = "".join(f"\\{byte:02x}" for byte in data.bytes)
    heap = (len(data.bytes) + 15) // 16 * 16
    return bytes(
        wasmtime.wat2wasm(f"""
(module
  (import "{_HOST}" "http" (func $http (param i32 i32 i32)))
  (import "{_HOST}" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 16)
  (global $next (mut i32) (i32.const {heap}))
  (data (i32.const 0) "{content}")
  (func $alloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
    (result i32) (local $start i32)
    (local.set $start (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $start) (local.get $size)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $enough (i32.ge_s (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))
        (i32.const 0)))
      unreachable)
    (local.get $start))
  (func (export "describe") (result i32) {_pair(0, *described)} (i32.const 0))
  (func (export "execute") (param $op i32) (param $op_size i32) (param $args i32) (param $args_size i32) (result i32)
    {bodies} unreachable))
""")
    )


def _body(does: Does, data: _Data) -> str:
    code = ""
    for step in does.steps:
        if isinstance(step, Ask):
            place, size = data.place(step.request)
            # The answer's arm lands at 16, its place at 20, its size at 24.
            code += f"(call $http (i32.const {place}) (i32.const {size}) (i32.const 16))"
        elif isinstance(step, Say):
            place, size = data.place(step.text)
            code += f"(call $log (i32.const {step.level}) (i32.const {place}) (i32.const {size}))"
        else:
            answer = "(i32.load (i32.const 20)) (i32.load (i32.const 24))"
            code += f"(call $log (i32.const {step.level}) {answer})"
    if does.end == "trap":
        return code + "unreachable"
    if does.end == "loop":
        return code + "(loop $for_ever (br $for_ever)) unreachable"
    arm = 1 if does.end in {"err", "answer_err"} else 0
    code += f"(i32.store (i32.const 0) (i32.const {arm}))"
    if does.end in {"answer", "answer_err"}:
        code += (
            "(i32.store (i32.const 4) (i32.load (i32.const 20))) (i32.store (i32.const 8) (i32.load (i32.const 24)))"
        )
    elif does.end == "arguments":
        code += "(i32.store (i32.const 4) (local.get $args)) (i32.store (i32.const 8) (local.get $args_size))"
    else:
        code += _pair(4, *data.place(does.text))
    return code + "(return (i32.const 0))"


def _pair(at: int, place: int, size: int) -> str:
    return f"(i32.store (i32.const {at}) (i32.const {place})) (i32.store (i32.const {at + 4}) (i32.const {size}))"

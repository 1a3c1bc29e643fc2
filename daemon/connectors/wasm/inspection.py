"""Decides whether a compiled program fits the host interface, and reads what it says about itself."""

import json
import re

import wasmtime
from wasmtime.component import F64, U8, Component, ComponentInstanceType, FuncType, ResultType, String
from wasmtime.component._types import ComponentExtern

from daemon.connectors.wasm.componentize import quoted, refusal
from daemon.connectors.wasm.errors import ConnectorRejected
from daemon.connectors.wasm.interface import (
    CONNECTOR_EXPORTS,
    HOST_FUNCTIONS,
    HOST_INTERFACE,
    Signature,
    signature_text,
)

ABI_VERSION = 1
MAX_OPS = 512
_OP_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def check_component(component: Component, engine: wasmtime.Engine) -> None:
    """Raise ConnectorRejected, with a list, unless the component imports and exports what the world says.

    The types are compared too, because the host functions read their arguments without looking at them again.
    """
    imports = {name: _item(extern) for name, extern in component.type.imports(engine).items()}
    exports = {name: _item(extern) for name, extern in component.type.exports(engine).items()}
    problems = []
    for name, extern in imports.items():
        if name == HOST_INTERFACE and isinstance(extern, ComponentInstanceType):
            problems += _host_problems(extern, engine)
        else:
            problems.append(f"it imports {quoted(name)}: {_reason(name)}")
    for name, wanted in CONNECTOR_EXPORTS.items():
        extern = exports.get(name)
        if not isinstance(extern, FuncType):
            problems.append(f"it must export the function '{name}' {signature_text(wanted)}")
        elif (found := _signature(extern)) != wanted:
            problems.append(f"its export '{name}' is {signature_text(found)}, not {signature_text(wanted)}")
    if problems:
        raise ConnectorRejected(refusal(problems))


def parse_description(text: str) -> tuple[str, ...]:
    """Read the answer of describe() and return the names of the operations."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConnectorRejected("describe() must return JSON, and does not.") from error
    if not isinstance(said, dict) or said.get("abi") != ABI_VERSION or isinstance(said.get("abi"), bool):
        raise ConnectorRejected(
            f'describe() must return an object with "abi": {ABI_VERSION}; this connector speaks another version.'
        )
    ops = said.get("ops")
    if not isinstance(ops, list) or not ops or len(ops) > MAX_OPS:
        raise ConnectorRejected(f'describe() must return "ops", a list of 1 to {MAX_OPS} operation names.')
    for op in ops:
        if not isinstance(op, str) or not _OP_NAME.fullmatch(op):
            raise ConnectorRejected(
                "describe() names an operation that is not a lower-case name of letters, digits and '_'"
                f" ({quoted(op) if isinstance(op, str) else type(op).__name__})."
            )
    if len(set(ops)) != len(ops):
        raise ConnectorRejected("describe() names an operation twice.")
    return tuple(ops)


def _item(extern: ComponentExtern) -> object:
    """Return what an import or export is; None for a kind that the library cannot describe."""
    try:
        return extern.ty
    except TypeError:
        return None


def _reason(name: str) -> str:
    if name.startswith("wasi:"):
        return "connectors get no WASI; build without it (for example with --stub-wasi)"
    if name.startswith("aileron:connector/host@"):
        return f"this runtime offers {HOST_INTERFACE}"
    return f"a connector may import only {HOST_INTERFACE}"


def _host_problems(instance: ComponentInstanceType, engine: wasmtime.Engine) -> list[str]:
    problems = []
    for name, declared in instance.exports(engine).items():
        extern = _item(declared)
        wanted = HOST_FUNCTIONS.get(name)
        if wanted is None or not isinstance(extern, FuncType):
            problems.append(
                f"it imports {quoted(name)} from {HOST_INTERFACE}, which has only {', '.join(HOST_FUNCTIONS)}"
            )
        elif (found := _signature(extern)) != wanted:
            problems.append(f"it imports '{name}' as {signature_text(found)}, not {signature_text(wanted)}")
    return problems


def _signature(function: FuncType) -> Signature:
    result = function.result
    return tuple(_type_name(kind) for _, kind in function.params), () if result is None else (_type_name(result),)


def _type_name(kind: object) -> str:
    if isinstance(kind, String):
        return "string"
    if isinstance(kind, U8):
        return "u8"
    if isinstance(kind, F64):
        return "f64"
    if isinstance(kind, ResultType):
        arms = (kind.ok, kind.err)
        return f"result<{','.join('_' if arm is None else _type_name(arm) for arm in arms)}>"
    return type(kind).__name__.removesuffix("Type").lower()

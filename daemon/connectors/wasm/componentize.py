"""Wraps a core module into a component for the connector world, so that the runtime has one kind of program to run.

The wrapper is written as WebAssembly text around an empty core module, and the real module is put in that module's
place in the binary. Nothing here has to be trusted: the engine validates the result like any other component.
"""

from collections.abc import Iterator

import wasmtime

from daemon.connectors.wasm import preview1
from daemon.connectors.wasm.core_module import (
    COMPONENT_HEADER,
    CORE_HEADER,
    CoreModule,
    Import,
    MalformedModule,
    assemble,
    number_repeated_imports,
    read_module,
    sections,
)
from daemon.connectors.wasm.errors import ConnectorRejected
from daemon.connectors.wasm.interface import (
    HOST_INTERFACE,
    LOWERED_EXPORTS,
    LOWERED_IMPORTS,
    PREVIEW1_MODULE,
    Signature,
    signature_text,
)

_CORE_MODULE_SECTION = 1
_MAX_NAMED = 20


def componentize(binary: bytes) -> bytes:
    """Return a component for the connector world: the binary itself if it is one, else the core module wrapped."""
    if binary.startswith(COMPONENT_HEADER):
        return binary
    if not binary.startswith(CORE_HEADER):
        raise ConnectorRejected("connector.wasm is neither a WebAssembly component nor a core module.")
    try:
        numbered = number_repeated_imports(binary)
        module = read_module(numbered)
    except MalformedModule as error:
        raise ConnectorRejected(f"connector.wasm is not a valid core module: {error}.") from error
    problems = _problems(module)
    if problems:
        raise ConnectorRejected(refusal(problems))
    wrapper = bytes(wasmtime.wat2wasm(_wrapper_text(module)))
    return assemble(wrapper[:8], _with_module(wrapper, numbered))


def refusal(problems: list[str]) -> str:
    """Write the list of what is wrong with a program as one message."""
    shown = problems[:_MAX_NAMED]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - _MAX_NAMED} more")
    return "The connector does not fit its host interface:\n" + "\n".join(f"  - {problem}" for problem in shown)


def quoted(name: str) -> str:
    """Write a name that a program chose so that it cannot pass for text of ours."""
    printable = name if len(name) <= 80 else name[:77] + "..."
    return ascii(printable)


def _with_module(wrapper: bytes, module: bytes) -> Iterator[tuple[int, bytes]]:
    replaced = False
    for section_id, content in sections(wrapper):
        if section_id == _CORE_MODULE_SECTION and not replaced:
            replaced = True
            yield section_id, module
        else:
            yield section_id, content


def _problems(module: CoreModule) -> list[str]:
    problems = [problem for found in module.imports if (problem := _import_problem(found)) is not None]
    memory = module.exports.get("memory")
    if memory is None or memory.kind != "memory":
        problems.append("it must export its memory as 'memory'")
    for name, wanted in LOWERED_EXPORTS.items():
        export = module.exports.get(name)
        if export is None:
            problems.append(f"it must export the function '{name}' {signature_text(wanted)}")
        elif export.signature != wanted:
            problems.append(f"its export '{name}' must be a function {signature_text(wanted)}")
    start = module.exports.get("_initialize")
    if start is not None and start.signature != ((), ()):
        problems.append("its export '_initialize' must be a function without parameters and results")
    return problems


def _import_problem(found: Import) -> str | None:
    place = f"it imports {quoted(found.name)} from {quoted(found.module)}"
    name = _plain_name(found)
    if found.module == HOST_INTERFACE:
        known = LOWERED_IMPORTS
        unknown = f"the host interface has only {', '.join(LOWERED_IMPORTS)}"
    elif found.module == PREVIEW1_MODULE:
        known = preview1.FUNCTIONS
        unknown = "WASI preview 1 has no such function"
    else:
        return f"{place}: a connector may import only {HOST_INTERFACE}"
    wanted = known.get(name)
    if wanted is None:
        return f"{place}: {unknown}"
    if found.kind != "function" or found.signature != wanted:
        return f"{place}: it must be imported as a function {signature_text(wanted)}"
    return None


def _plain_name(found: Import) -> str:
    """Take the number off a repeated import."""
    name, _, number = found.name.partition("#")
    return name if not number or number.isdecimal() else found.name


def _signature(found: Import) -> Signature:
    known = LOWERED_IMPORTS if found.module == HOST_INTERFACE else preview1.FUNCTIONS
    return known[_plain_name(found)]


def _core_type(signature: Signature) -> str:
    parameters, results = signature
    written = f"(param {' '.join(parameters)})" if parameters else ""
    return written + (f" (result {' '.join(results)})" if results else "")


# Long, because it is one text in WebAssembly's own language, which is read best in one piece.
def _wrapper_text(module: CoreModule) -> str:
    """Write the component's text.

    The module needs its imports before it has a memory, and the host functions need that memory before they can be
    lowered. So the module is given trampolines through a table, which is filled once its memory exists.
    """
    host_imports = [found for found in module.imports if found.module == HOST_INTERFACE]
    shims = [found for found in module.imports if found.module == PREVIEW1_MODULE]
    called_late = [found for found in host_imports if _plain_name(found) != "now-ms"]
    slots = called_late + shims
    filling = " ".join(
        [f"${_plain_name(found)}" for found in called_late] + [f"$shim{number}" for number in range(len(shims))]
    )
    initialize = "_initialize" in module.exports
    return f"""(component
  (type $host (instance
    (type $answer (result string (error string)))
    (export "http" (func (param "request" string) (result $answer)))
    (export "log" (func (param "level" u8) (param "message" string)))
    (export "now-ms" (func (result f64)))
    (export "random-hex" (func (param "bytes" u8) (result string)))
    (export "manifest" (func (result string)))))
  (import "{HOST_INTERFACE}" (instance $host (type $host)))
  (core module $main)
  (core module $trampolines {_trampolines(slots)})
  (core instance $trampolines (instantiate $trampolines))
  (core func $now (canon lower (func $host "now-ms")))
  (core instance $host-imports {"".join(_provided(found) for found in host_imports)})
  (core instance $wasi-imports {"".join(_provided(found) for found in shims)})
  (core instance $main (instantiate $main
    (with "{HOST_INTERFACE}" (instance $host-imports)) (with "{PREVIEW1_MODULE}" (instance $wasi-imports))))
  (alias core export $main "memory" (core memory $memory))
  (alias core export $main "cabi_realloc" (core func $realloc))
  (core module $scratch (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (i32.const {preview1.SCRATCH_TEXT})))
  (core instance $scratch (instantiate $scratch))
  (alias core export $scratch "realloc" (core func $scratch-realloc))
  (core func $http (canon lower (func $host "http") (memory $memory) (realloc $realloc)))
  (core func $log (canon lower (func $host "log") (memory $memory)))
  (core func $random-hex (canon lower (func $host "random-hex") (memory $memory) (realloc $realloc)))
  (core func $manifest (canon lower (func $host "manifest") (memory $memory) (realloc $realloc)))
  (core func $random (canon lower (func $host "random-hex") (memory $memory) (realloc $scratch-realloc)))
  (core module $fill
    (import "" "table" (table {len(slots)} funcref)) (import "" "memory" (memory 0))
    (import "" "http" (func $http {_core_type(LOWERED_IMPORTS["http"])}))
    (import "" "log" (func $log {_core_type(LOWERED_IMPORTS["log"])}))
    (import "" "random-hex" (func $random-hex {_core_type(LOWERED_IMPORTS["random-hex"])}))
    (import "" "manifest" (func $manifest {_core_type(LOWERED_IMPORTS["manifest"])}))
    (import "" "now" (func $now (result f64)))
    (import "" "random" (func $random (param i32 i32)))
    {"".join(_shim_function(number, found) for number, found in enumerate(shims))}
    (elem (i32.const 0) func {filling}))
  (core instance $fill-imports
    (export "table" (table $trampolines "table")) (export "memory" (memory $memory)) (export "http" (func $http))
    (export "log" (func $log)) (export "random-hex" (func $random-hex)) (export "manifest" (func $manifest))
    (export "now" (func $now)) (export "random" (func $random)))
  (core instance (instantiate $fill (with "" (instance $fill-imports))))
  {_INITIALIZE if initialize else ""}
  (type $outcome (result string (error string)))
  (func (export "describe") (result string)
    (canon lift (core func $main "describe") (memory $memory) (realloc $realloc)))
  (func (export "execute") (param "op" string) (param "args" string) (result $outcome)
    (canon lift (core func $main "execute") (memory $memory) (realloc $realloc))))"""


_INITIALIZE = """(core module $starter (import "" "initialize" (func $initialize)) (start $initialize))
  (core instance $starter-imports (export "initialize" (func $main "_initialize")))
  (core instance (instantiate $starter (with "" (instance $starter-imports))))"""


def _trampoline_name(found: Import) -> str:
    return f"{'host' if found.module == HOST_INTERFACE else 'wasi'}:{found.name}"


def _provided(found: Import) -> str:
    if found.module == HOST_INTERFACE and _plain_name(found) == "now-ms":
        return f'(export "{found.name}" (func $now))'
    return f'(export "{found.name}" (func $trampolines "{_trampoline_name(found)}"))'


def _trampolines(slots: list[Import]) -> str:
    text = f'(table (export "table") {len(slots)} {len(slots)} funcref)'
    for number, found in enumerate(slots):
        arguments = "".join(f"(local.get {index})" for index in range(len(_signature(found)[0])))
        text += (
            f"(type $type{number} (func {_core_type(_signature(found))}))"
            f'(func (export "{_trampoline_name(found)}") (type $type{number})'
            f" {arguments} (call_indirect (type $type{number}) (i32.const {number})))"
        )
    return text


def _shim_function(number: int, found: Import) -> str:
    return f"(func $shim{number} {_core_type(_signature(found))} {preview1.body(_plain_name(found))})"

"""Says in our own words why a guest stopped; nothing a guest chose reaches a message."""

import re

from daemon.connectors.wasm.errors import ConnectorCrash, ConnectorFault, ConnectorFuelExhausted, ResourceExceeded
from daemon.connectors.wasm.limits import MAX_MEMORIES, MIB, CallLimits

_FUEL = "wasm trap: all fuel consumed by WebAssembly"
_UNREACHABLE = "wasm trap: wasm `unreachable` instruction executed"
_MEMORY_LIMIT = re.compile(r"memory minimum size of \d+ pages exceeds memory limits$")
_MEMORY_COUNT = re.compile(r"resource limit exceeded: memory count too high at \d+$")
_OTHER_COUNT = re.compile(r"resource limit exceeded: (instance|table) count too high at \d+$")
_TABLE_LIMIT = re.compile(r"table minimum size of \d+ elements exceeds table limits$")

_TRAPS = {
    "wasm trap: call stack exhausted": "its call stack is exhausted",
    "wasm trap: out of bounds memory access": "it reached outside its memory",
    "wasm trap: undefined element: out of bounds table access": "it called a function that is not there",
    "wasm trap: uninitialized element": "it called a function that is not there",
    "wasm trap: indirect call type mismatch": "it called a function with the wrong type",
    "wasm trap: integer divide by zero": "it divided by zero",
    "wasm trap: integer overflow": "an integer operation overflowed",
    "wasm trap: invalid conversion to integer": "it converted a number that is no integer",
}


def too_many_memories(last_line: str) -> bool:
    """Say whether instantiating failed because the program has more memories than it was allowed."""
    return _MEMORY_COUNT.search(last_line) is not None


def explain_trap(last_line: str, limits: CallLimits) -> ConnectorFault:
    """Turn the engine's last line into the error a caller gets."""
    memory = f"{limits.memory_bytes / MIB:g} MiB"
    if last_line == _FUEL:
        return ConnectorFuelExhausted(f"The connector executed more than its {limits.fuel} units of instructions.")
    if last_line == _UNREACHABLE:
        return ConnectorCrash(
            "The connector crashed: it gave up (an abort, a panic, or a failed allocation)."
            f" If it needs more than its memory limit of {memory}, that is how it shows."
        )
    if _MEMORY_LIMIT.search(last_line):
        return ResourceExceeded(f"The connector needs more memory to start than its limit of {memory}.", limit="memory")
    if _MEMORY_COUNT.search(last_line):
        return ResourceExceeded(f"The connector has more than {MAX_MEMORIES} memories.", limit="memories")
    if _TABLE_LIMIT.search(last_line) or _OTHER_COUNT.search(last_line):
        return ResourceExceeded("The connector has more modules or larger tables than it may.", limit="tables")
    if "utf-8" in last_line.lower() or "utf8" in last_line.lower():
        return ConnectorCrash("The connector crashed: it handed over text that is not valid UTF-8.")
    known = _TRAPS.get(last_line)
    if known is None and last_line.startswith(("string pointer/length out of bounds", "pointer out of bounds")):
        known = "it handed over text that lies outside its memory"
    return ConnectorCrash(f"The connector crashed: {known or 'it broke a rule of the WebAssembly engine'}.")

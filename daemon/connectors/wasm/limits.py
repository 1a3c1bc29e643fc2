"""The limits of one call, and the sizes beyond which the host does not look at what a guest hands over."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What one call may use; memory is the sum over all of the program's linear memories."""

    seconds: float
    fuel: int = 10**11
    memory_bytes: int = 64 * MIB
    args_bytes: int = 8 * MIB
    result_bytes: int = 8 * MIB
    log_lines: int = 100
    log_bytes: int = 64 * 1024


DESCRIBE_LIMITS = CallLimits(seconds=10, fuel=10**10, memory_bytes=256 * MIB, result_bytes=64 * 1024, log_lines=0)
"""For describe() at install. A CPython guest needs most of a second and 40 MiB to say its first word."""

MAX_WASM_BYTES = 64 * MIB
MAX_REQUEST_BYTES = 16 * MIB
MAX_RANDOM_BYTES = 64
MAX_MEMORIES = 4
MAX_INSTANCES = 64
MAX_TABLES = 8
MAX_TABLE_ELEMENTS = 100_000

"""The host interface as names and types: the one thing a connector may import, and what it must export."""

from typing import Final

HOST_INTERFACE: Final = "aileron:connector/host@0.1.0"
PREVIEW1_MODULE: Final = "wasi_snapshot_preview1"

Signature = tuple[tuple[str, ...], tuple[str, ...]]
"""Parameter types and result types."""

HOST_FUNCTIONS: Final[dict[str, Signature]] = {
    "http": (("string",), ("result<string,string>",)),
    "log": (("u8", "string"), ()),
    "now-ms": ((), ("f64",)),
    "random-hex": (("u8",), ("string",)),
    "manifest": ((), ("string",)),
}
"""The functions of the host interface, in component types."""

CONNECTOR_EXPORTS: Final[dict[str, Signature]] = {
    "describe": ((), ("string",)),
    "execute": (("string", "string"), ("result<string,string>",)),
}
"""What a component must export, in component types."""

LOWERED_IMPORTS: Final[dict[str, Signature]] = {
    "http": (("i32", "i32", "i32"), ()),
    "log": (("i32", "i32", "i32"), ()),
    "now-ms": ((), ("f64",)),
    "random-hex": (("i32", "i32"), ()),
    "manifest": (("i32",), ()),
}
"""The same functions as a core module sees them, after the canonical ABI's lowering."""

LOWERED_EXPORTS: Final[dict[str, Signature]] = {
    "cabi_realloc": (("i32", "i32", "i32", "i32"), ("i32",)),
    "describe": ((), ("i32",)),
    "execute": (("i32", "i32", "i32", "i32"), ("i32",)),
}
"""What a core module must export, beside its memory."""


def signature_text(signature: Signature) -> str:
    """Write a signature for a message."""
    parameters, results = signature
    return f"({', '.join(parameters)}) -> ({', '.join(results)})"

"""Reads the outside of a core WebAssembly module: its sections, what it imports and what it exports."""

from collections.abc import Iterator
from dataclasses import dataclass

from daemon.connectors.wasm.interface import Signature

CORE_HEADER = b"\0asm\x01\0\0\0"
COMPONENT_HEADER = b"\0asm\x0d\0\x01\0"

_TYPE, _IMPORT, _FUNCTION, _EXPORT = 1, 2, 3, 7
_KINDS = ("function", "table", "memory", "global", "tag")
_VALUE_TYPES = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x70: "funcref",
    0x6F: "externref",
}


class MalformedModule(ValueError):
    """The bytes are not a core module that can be read; the message says where it went wrong."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import; the signature is None for anything that is not a function."""

    module: str
    name: str
    kind: str
    signature: Signature | None


@dataclass(frozen=True, slots=True)
class Export:
    """One export; the signature is None for anything that is not a function."""

    kind: str
    signature: Signature | None


@dataclass(frozen=True, slots=True)
class CoreModule:
    """The outside of a module."""

    imports: tuple[Import, ...]
    exports: dict[str, Export]


class Cursor:
    """A place in some bytes that moves forward as it is read."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self.position = position

    @property
    def at_end(self) -> bool:
        """Say whether everything was read."""
        return self.position >= len(self._data)

    def byte(self) -> int:
        """Read one byte."""
        if self.at_end:
            raise MalformedModule(f"it ends in the middle of something, at byte {self.position}")
        self.position += 1
        return self._data[self.position - 1]

    def unsigned(self) -> int:
        """Read an unsigned LEB128 number of at most 32 bits."""
        value = shift = 0
        while True:
            part = self.byte()
            value |= (part & 0x7F) << shift
            shift += 7
            if part < 0x80:
                if value >= 2**32:
                    raise MalformedModule(f"the number before byte {self.position} has more than 32 bits")
                return value
            if shift >= 35:
                raise MalformedModule(f"the number before byte {self.position} has more than 32 bits")

    def take(self, count: int) -> bytes:
        """Read a run of bytes."""
        if self.position + count > len(self._data):
            raise MalformedModule(f"{count} bytes are announced at byte {self.position}, but fewer are there")
        self.position += count
        return self._data[self.position - count : self.position]

    def name(self) -> str:
        """Read a name."""
        raw = self.take(self.unsigned())
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise MalformedModule(f"the name before byte {self.position} is not UTF-8") from error


def leb(number: int) -> bytes:
    """Write an unsigned LEB128 number."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def sections(binary: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk over the sections of a module or component, each as its id and content."""
    cursor = Cursor(binary, 8)
    while not cursor.at_end:
        section_id = cursor.byte()
        yield section_id, cursor.take(cursor.unsigned())


def assemble(header: bytes, parts: Iterator[tuple[int, bytes]]) -> bytes:
    """Put a header and sections together again."""
    return header + b"".join(bytes([section_id]) + leb(len(content)) + content for section_id, content in parts)


def read_module(binary: bytes) -> CoreModule:
    """Read the imports and exports of a core module."""
    if not binary.startswith(CORE_HEADER):
        raise MalformedModule("it does not begin like a core WebAssembly module")
    types: list[Signature] = []
    imports: list[Import] = []
    functions: list[Signature] = []
    exports: dict[str, Export] = {}
    for section_id, content in sections(binary):
        cursor = Cursor(content)
        if section_id == _TYPE:
            types = [_function_type(cursor) for _ in range(cursor.unsigned())]
        elif section_id == _IMPORT:
            imports = [_import(cursor, types) for _ in range(cursor.unsigned())]
            functions = [found.signature for found in imports if found.signature is not None]
        elif section_id == _FUNCTION:
            functions += [_type_at(types, cursor.unsigned()) for _ in range(cursor.unsigned())]
        elif section_id == _EXPORT:
            exports = dict(_export(cursor, functions) for _ in range(cursor.unsigned()))
    return CoreModule(imports=tuple(imports), exports=exports)


def number_repeated_imports(binary: bytes) -> bytes:
    """Rename the second import of a name to `name#2` and so on.

    Go imports some functions twice, and a component cannot provide one name twice.
    """
    return assemble(
        binary[:8],
        (
            (section_id, _numbered(content) if section_id == _IMPORT else content)
            for section_id, content in sections(binary)
        ),
    )


def _numbered(content: bytes) -> bytes:
    cursor = Cursor(content)
    count = cursor.unsigned()
    out = bytearray(leb(count))
    seen: dict[tuple[bytes, bytes], int] = {}
    for _ in range(count):
        module, name = cursor.take(cursor.unsigned()), cursor.take(cursor.unsigned())
        start = cursor.position
        _skip_description(cursor)
        turn = seen[module, name] = seen.get((module, name), 0) + 1
        if turn > 1:
            name += b"#%d" % turn
        out += leb(len(module)) + module + leb(len(name)) + name + content[start : cursor.position]
    return bytes(out)


def _import(cursor: Cursor, types: list[Signature]) -> Import:
    module, name = cursor.name(), cursor.name()
    kind, type_index = _skip_description(cursor)
    return Import(module, name, kind, _type_at(types, type_index) if kind == "function" else None)


def _skip_description(cursor: Cursor) -> tuple[str, int]:
    code = cursor.byte()
    if code >= len(_KINDS):
        raise MalformedModule(f"an import has the unknown kind {code}")
    kind, number = _KINDS[code], 0
    if kind == "function":
        number = cursor.unsigned()
    elif kind == "table":
        _value_type(cursor)
        _skip_limits(cursor)
    elif kind == "memory":
        _skip_limits(cursor)
    elif kind == "global":
        _value_type(cursor)
        cursor.byte()
    else:
        cursor.byte()
        cursor.unsigned()
    return kind, number


def _skip_limits(cursor: Cursor) -> None:
    flags = cursor.byte()
    cursor.unsigned()
    if flags & 1:
        cursor.unsigned()


def _export(cursor: Cursor, functions: list[Signature]) -> tuple[str, Export]:
    name = cursor.name()
    code, index = cursor.byte(), cursor.unsigned()
    if code >= len(_KINDS):
        raise MalformedModule(f"an export has the unknown kind {code}")
    kind = _KINDS[code]
    return name, Export(kind, _type_at(functions, index) if kind == "function" else None)


def _type_at(types: list[Signature], index: int) -> Signature:
    if index >= len(types):
        raise MalformedModule(f"type or function {index} is used, but there are only {len(types)}")
    return types[index]


def _function_type(cursor: Cursor) -> Signature:
    form = cursor.byte()
    if form != 0x60:
        raise MalformedModule(f"it uses types beyond functions (form 0x{form:02x}), which connectors cannot")
    parameters = tuple(_value_type(cursor) for _ in range(cursor.unsigned()))
    return parameters, tuple(_value_type(cursor) for _ in range(cursor.unsigned()))


def _value_type(cursor: Cursor) -> str:
    code = cursor.byte()
    if code not in _VALUE_TYPES:
        raise MalformedModule(f"it uses the value type 0x{code:02x}, which connectors cannot")
    return _VALUE_TYPES[code]

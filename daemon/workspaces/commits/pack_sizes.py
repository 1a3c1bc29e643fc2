"""How large the objects of a pack will be, read from the pack itself before git unpacks anything of it.

A pack says for each object how long it is, and for one that is kept as a difference how long the result will be. A few
hundred bytes can stand for gigabytes in both ways. What the pack says is added up here; that it says the truth is
checked by git afterwards, which fails at an object that is longer or shorter.
"""

import zlib
from dataclasses import dataclass
from typing import BinaryIO

from daemon.workspaces.commits.failures import refused, too_large

_PIECE = 64 * 1024
_GIVEN = 4096
"""How many bytes are unpacked at a time. Bytes that are left over are copied, so it is small: most objects are."""
_COMMIT, _TREE, _BLOB, _TAG, _BY_OFFSET, _BY_ID = 1, 2, 3, 4, 6, 7
_LONGEST_NUMBER = 10
_DAMAGED = "The pack that came out of the container is damaged: "


@dataclass(frozen=True, slots=True, kw_only=True)
class PackBounds:
    """How much a pack may stand for."""

    objects: int = 1_000_000
    unpacked_bytes: int = 8 * 1024**3
    object_bytes: int = 1024**3


class _Reader:
    """Reads a pack from its beginning to its end, and no further."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size
        self._held = b""
        self._at = 0

    def byte(self) -> int:
        """Return the next byte."""
        if self._at == len(self._held):
            self._fill()
        self._at += 1
        return self._held[self._at - 1]

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        return bytes(self.byte() for _ in range(count))

    def inflate(self, size: int, keep: int) -> bytes:
        """Pass over one compressed piece that is said to have a size; return its beginning."""
        unpacking, passed, first = zlib.decompressobj(), 0, b""
        try:
            while True:
                if self._at == len(self._held):
                    self._fill()
                given = self._held[self._at : self._at + _GIVEN]
                out = unpacking.decompress(given, _PIECE)
                self._at += len(given) - len(unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail)
                passed += len(out)
                first += out[: keep - len(first)]
                if passed > size:
                    raise refused(f"{_DAMAGED}an object is longer than it says.")
                if unpacking.eof:
                    break
        except zlib.error as problem:
            raise refused(f"{_DAMAGED}{problem}.") from None
        if passed != size:
            raise refused(f"{_DAMAGED}an object is shorter than it says.")
        return first

    def _fill(self) -> None:
        self._held, self._at = self._file.read(min(_PIECE, self._left)), 0
        self._left -= len(self._held)
        if not self._held:
            raise refused(f"{_DAMAGED}it ends too early.")


def check_sizes(file: BinaryIO, size: int, *, id_bytes: int, bounds: PackBounds) -> int:
    """Return how many objects a pack has; raises Failure if it is damaged, or stands for more than the bounds allow."""
    reader = _Reader(file, size)
    head = reader.take(12)
    count = int.from_bytes(head[8:], "big")
    if head[:4] != b"PACK" or head[4:8] != b"\0\0\0\2":
        raise refused(f"{_DAMAGED}it does not begin like one.")
    if count > bounds.objects:
        raise too_large(f"The commits have {count} objects, and at most {bounds.objects} are looked at.")
    total = 0
    for _ in range(count):
        total += _object(reader, id_bytes, bounds)
        if total > bounds.unpacked_bytes:
            raise too_large(
                f"The commits stand for more than {bounds.unpacked_bytes} bytes, which is more than may land."
            )
    return count


def _object(reader: _Reader, id_bytes: int, bounds: PackBounds) -> int:
    """Pass over one object; return how long it will be."""
    byte = reader.byte()
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 0x80:
        byte = reader.byte()
        size |= (byte & 0x7F) << shift
        shift += 7
        if shift > 7 * _LONGEST_NUMBER:
            raise refused(f"{_DAMAGED}a number in it is too long.")
    if kind == _BY_OFFSET:
        while reader.byte() & 0x80:
            pass
    elif kind == _BY_ID:
        reader.take(id_bytes)
    elif kind not in {_COMMIT, _TREE, _BLOB, _TAG}:
        raise refused(f"{_DAMAGED}an object is of no known kind.")
    _bounded(size, bounds)
    if kind not in {_BY_OFFSET, _BY_ID}:
        reader.inflate(size, 0)
        return size
    first = reader.inflate(size, 2 * _LONGEST_NUMBER)
    _, first = _number(first)
    result, _ = _number(first)
    _bounded(result, bounds)
    return result


def _number(raw: bytes) -> tuple[int, bytes]:
    """Read one number as differences have it: seven bits a byte, the lowest first."""
    value = 0
    for place, byte in enumerate(raw[:_LONGEST_NUMBER]):
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, raw[place + 1 :]
    raise refused(f"{_DAMAGED}a difference in it does not say how long its result is.")


def _bounded(size: int, bounds: PackBounds) -> None:
    if size > bounds.object_bytes:
        raise too_large(f"An object has {size} bytes, and at most {bounds.object_bytes} may land.")

"""Reads a copy of git's index (versions 2, 3 and 4) by hand, bounded: which files were tracked, and as what.

No program of git's is needed for it, and a damaged file is refused instead of believed.
"""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 256 << 20
MOST_ENTRIES: Final = 2_000_000

_HEAD = struct.Struct(">4sLL")
_STAT = struct.Struct(">10L")
_REGULAR = (0o100644, 0o100755)
_LINK = 0o120000
_EXTENDED = 0x4000
_STAGE = 0x3000
_SKIP_WORKTREE = 0x4000
_INTENT_TO_ADD = 0x2000


class IndexDamaged(Exception):
    """The index cannot be read: why."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """One file or link as the index had it."""

    id: str
    """In hex, of the content as git stores it."""
    mtime_ns: int
    size: int
    """Of 32 bits, as git keeps it."""
    executable: bool

    @property
    def algorithm(self) -> str:
        """Return the name of the hash that makes the id."""
        return "sha1" if len(self.id) == 40 else "sha256"


class GitIndex:
    """What an index says of paths. Only files that were to be in the working folder are known."""

    def __init__(self, data: bytes) -> None:
        """Find where each entry is; raise IndexDamaged."""
        if len(data) < _HEAD.size + 20:
            raise IndexDamaged("it is too short")
        signature, version, count = _HEAD.unpack_from(data)
        if signature != b"DIRC" or version not in {2, 3, 4}:
            raise IndexDamaged("it is no index of version 2, 3 or 4")
        if count > MOST_ENTRIES:
            raise IndexDamaged(f"it has more than {MOST_ENTRIES:,} entries")
        self._data = data
        self._id_length = _id_length(data)
        try:
            self._places = self._find(version, count)
        except (IndexError, struct.error) as error:
            raise IndexDamaged("it ends within an entry") from error

    @classmethod
    def read(cls, path: Path) -> "GitIndex":
        """Read a file; raise IndexDamaged."""
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise IndexDamaged(f"it cannot be read ({error.strerror})") from error
        if len(data) > MOST_BYTES:
            raise IndexDamaged(f"it is larger than {MOST_BYTES >> 20} MiB")
        return cls(data)

    def __len__(self) -> int:
        """Return how many files are known."""
        return len(self._places)

    def get(self, path: bytes) -> Tracked | None:
        """Return what the index had of a path."""
        place = self._places.get(path)
        if place is None:
            return None
        fields = _STAT.unpack_from(self._data, place)
        start = place + _STAT.size
        object_id = self._data[start : start + self._id_length].hex()
        return Tracked(object_id, fields[2] * 1_000_000_000 + fields[3], fields[9], fields[6] == 0o100755)

    def _find(self, version: int, count: int) -> dict[bytes, int]:
        """Return the offset of each entry that is a plain file or link and belongs into the working folder."""
        data, fixed = self._data, _STAT.size + self._id_length
        places: dict[bytes, int] = {}
        offset, name = _HEAD.size, b""
        for _ in range(count):
            flags = (data[offset + fixed] << 8) | data[offset + fixed + 1]
            start, extended = offset + fixed + 2, 0
            if flags & _EXTENDED:
                if version == 2:
                    raise IndexDamaged("an entry of version 2 has flags of version 3")
                extended = (data[start] << 8) | data[start + 1]
                start += 2
            if version == 4:
                cut, start = _variable(data, start)
                if cut > len(name):
                    raise IndexDamaged("a name is shorter than what is cut from it")
                end = _end_of_name(data, start)
                name = name[: len(name) - cut] + data[start:end]
                following = end + 1
            else:
                length = flags & 0xFFF
                end = start + length if length < 0xFFF else _end_of_name(data, start)
                name = data[start:end]
                # From one to eight zero bytes fill the entry up to a multiple of eight.
                following = offset + ((end - offset + 8) & ~7)
            mode = int.from_bytes(data[offset + 24 : offset + 28], "big")
            plain = mode in _REGULAR or mode == _LINK
            if plain and not flags & _STAGE and not extended & (_SKIP_WORKTREE | _INTENT_TO_ADD):
                places[name] = offset
            offset = following
        if offset > len(data):
            raise IndexDamaged("it ends within an entry")
        return places


def _id_length(data: bytes) -> int:
    """Return the length of ids: nothing but the checksum at the end tells it.

    Git can leave the checksum out (zeros); then the common length is taken. A wrong guess shows as a damaged index.
    """
    if hashlib.sha256(data[:-32]).digest() == data[-32:]:
        return 32
    return 20


def _end_of_name(data: bytes, start: int) -> int:
    end = data.find(b"\0", start)
    if end < 0:
        raise IndexDamaged("a name has no end")
    return end


def _variable(data: bytes, offset: int) -> tuple[int, int]:
    """Read the number that says how much of the name before is cut; return it, and what follows."""
    byte = data[offset]
    offset += 1
    value = byte & 0x7F
    while byte & 0x80:
        byte = data[offset]
        offset += 1
        value = ((value + 1) << 7) | (byte & 0x7F)
        if value > MOST_BYTES:
            raise IndexDamaged("a number is too large")
    return value, offset

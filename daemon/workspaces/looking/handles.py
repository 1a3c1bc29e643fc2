"""Names a folder by the handle that its file system gives it, which stays the same wherever the folder is moved.

An overlay keeps the handle of the lower folder that an upper one was made from. So a folder that somebody put in the
place of another one is noticed, which no time tells for certain.
"""

import ctypes
import struct
from functools import cache

_MOST_BYTES = 128
_AT_EMPTY_PATH = 0x1000
_HEAD = struct.Struct("=Ii")
# struct ovl_fb of the kernel: version, magic number, length of all, flags, kind of handle, uuid of 16 bytes, handle.
_ORIGIN = struct.Struct("=BBBBB16s")
_MAGIC = 0xFB


def handle_of(folder: int) -> tuple[int, bytes] | None:
    """Return kind and bytes of an open folder's handle; None where the file system or the system has none."""
    call = _name_to_handle_at()
    if call is None:
        return None
    buffer = ctypes.create_string_buffer(_HEAD.pack(_MOST_BYTES, 0) + bytes(_MOST_BYTES))
    mount = ctypes.c_int()
    if call(folder, b"", buffer, ctypes.byref(mount), _AT_EMPTY_PATH):
        return None
    length, kind = _HEAD.unpack_from(buffer.raw)
    return kind, buffer.raw[_HEAD.size : _HEAD.size + length]


def origin_of(attribute: bytes) -> tuple[int, bytes] | None:
    """Return kind and bytes of the handle that an overlay keeps in its attribute `origin`; None if it keeps none."""
    if len(attribute) <= _ORIGIN.size:
        return None
    _, magic, length, _, kind, _ = _ORIGIN.unpack_from(attribute)
    if magic != _MAGIC or length != len(attribute):
        return None
    return kind, attribute[_ORIGIN.size :]


@cache
def _name_to_handle_at() -> "ctypes._NamedFuncPointer | None":
    library = ctypes.CDLL(None, use_errno=True)
    try:
        return library.name_to_handle_at
    except AttributeError:
        return None  # another system than Linux


def same_folder(attribute: bytes, folder: int) -> bool | None:
    """Say whether an open folder is the one that an overlay's attribute names; None if that cannot be told."""
    origin, there = origin_of(attribute), handle_of(folder)
    return None if origin is None or there is None else origin == there

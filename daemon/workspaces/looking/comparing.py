"""Compares what lies somewhere with what it is to be, by content, and cheaply by the version of a file seen before."""

import math
import os
import sys

from daemon.workspaces.reading import Bounds, Budget, Place, Unreadable, entry_at, is_executable, place_of
from daemon.workspaces.values import Entry, Kind

_UNBOUNDED = Bounds(
    entries=sys.maxsize, seconds=math.inf, file_bytes=sys.maxsize, total_bytes=sys.maxsize, depth=sys.maxsize
)


def holds(folder: int, name: str, entry: Entry | None) -> bool:
    """Say whether an entry, or nothing, lies at a name in an open folder. What cannot be read is not it."""
    try:
        return is_entry(place_of(folder, name), entry)
    except Unreadable:
        return False


def is_entry(place: Place | None, entry: Entry | None) -> bool:
    """Say whether an entry lies at a place; raise Unreadable if that cannot be told."""
    if place is None or entry is None:
        return place is None and entry is None
    if place.kind is not entry.kind:
        return False
    if entry.kind is Kind.FILE:
        status = place.status
        if status.st_size != entry.size or is_executable(status.st_mode) != entry.executable:
            return False
    if entry.kind in {Kind.FOLDER, Kind.OTHER}:
        return entry.kind is Kind.FOLDER
    return entry_at(place, Budget(_UNBOUNDED))[0].digest == entry.digest


def version(status: os.stat_result) -> tuple[int, ...]:
    """Return what is different after every write, rename and change of mode."""
    return (*content_version(status), status.st_mode, status.st_ctime_ns)


def content_version(status: os.stat_result) -> tuple[int, ...]:
    """Return what stays the same when a file is renamed, and is different after a write, unless times were set."""
    return (status.st_ino, status.st_size, status.st_mtime_ns)

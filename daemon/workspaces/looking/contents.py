"""Reads what was looked at, to show it: by descriptors, bounded, and only if it is still the same."""

import contextlib
import os

from daemon.workspaces.reading import Unreadable, digest_of, opened_file, opened_folder, place_of
from daemon.workspaces.values import Entry, Kind


def content_at(folder: int, path: str, entry: Entry | None, limit: int) -> bytes:
    """Return a file's content, or a link's target; nothing where nothing is to be.

    Raise Unreadable if it is larger than `limit`, or not what `entry` says any more.
    """
    if entry is None or entry.kind is Kind.FOLDER:
        return b""
    if entry.kind is Kind.LINK:
        return os.fsencode(entry.target)
    if entry.kind is Kind.OTHER:
        raise Unreadable("it is a device, a fifo or a socket")
    if entry.size > limit:
        raise Unreadable(f"it is larger than {limit >> 10:,} KiB")
    with contextlib.ExitStack() as folders:
        *above, name = path.split("/")
        for each in above:
            folder = folders.enter_context(opened_folder(folder, each))
        place = place_of(folder, name)
        if place is None or place.status.st_size != entry.size:
            raise Unreadable("it changed since it was looked at")
        content = _read(folders.enter_context(opened_file(place)), limit)
    if digest_of(content) != entry.digest:
        raise Unreadable("it changed since it was looked at")
    return content


def _read(descriptor: int, limit: int) -> bytes:
    pieces, left = [], limit
    while left > 0:
        try:
            piece = os.read(descriptor, left)
        except OSError as error:
            raise Unreadable(f"it cannot be read ({error.strerror})") from error
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)

"""What of a home goes into a backup: everything but what is made again by itself, or belongs to one machine only.

It is said by exclusion, so that what a later version keeps in the home is taken along without anybody thinking of it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

RESTORED = "restored.json"
"""Lies in a home that came out of a backup, until its daemon has taken back what must not be used again."""
SNAPSHOT = ("aileron.db", "ca/audit.seal", "ca/audit.running")
"""The log and what says how it must end: taken by the daemon, at one moment."""

_FOLDERS = frozenset({"cache", "logs", "backups", "imports", "sandboxes", "workspaces"})
"""What is made again, what is told elsewhere, what is copied already; layers, which hold other people's folders;
and agents' files from before an import, with tokens in plain text."""
_FILES = frozenset({"daemon.json", "daemon.lock", "spawn.lock", "ports.json", "aileron.db-wal", "aileron.db-shm"})
_PLACES = ("ca/session.key", "store/connectors/staging")
"""Without the old key, tokens of before open nothing after a restore."""
_DRAFT = ".aileron-draft"


_MAX_PATH = 240
"""What fits into the plainest form of an archive."""


def is_plain(path: str) -> bool:
    """Say whether a path can only mean a place below the folder that it is relative to, and can be shown."""
    parts = path.split("/")
    fits = len(path.encode("utf-8", "surrogateescape")) <= _MAX_PATH and path.isprintable() and "\\" not in path
    return fits and not any(part in {"", ".", ".."} for part in parts)


def belongs(path: str) -> bool:
    """Say whether a path below the home may be part of a backup; also asked of archives that somebody hands us."""
    # Folded, because file systems of macOS take `Cache` and `cache` for the same.
    folded = path.casefold()
    top, _, rest = folded.partition("/")
    if top in _FOLDERS or (not rest and top in _FILES) or folded.endswith(_DRAFT):
        return False
    return not any(folded == place or folded.startswith(f"{place}/") for place in _PLACES)


def survey(home: Path) -> Iterator[str]:
    """Yield the paths of all files that belong to a backup, but for those that the daemon takes; in order.

    A folder of the home may be a link, as people have it who keep their actions elsewhere: it is looked into. A link
    to a folder further down is yielded as if it were a file, so that it is not left out without a word.
    """
    yield from _walk(home, "", follow=True)


def _walk(home: Path, inside: str, *, follow: bool) -> Iterator[str]:
    with os.scandir(home / inside) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{inside}{entry.name}"
        if not belongs(path) or path in SNAPSHOT or path == RESTORED:
            continue
        if entry.is_dir(follow_symlinks=follow):
            yield from _walk(home, f"{path}/", follow=False)
        else:
            yield path

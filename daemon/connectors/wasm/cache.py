"""Keeps compiled programs on disk, and hands one out only if it is surely the one this user's daemon wrote.

A compiled program is native code: loading a file somebody else could write is running their code. Programs in use
are mapped from these files, so a file is only ever replaced or removed, never written in place.
"""

import contextlib
import hashlib
import os
import secrets
import stat
from pathlib import Path

from daemon.base.files import replace_file, write_new


class CacheUnsafe(Exception):
    """The cache folder is not private to this user; the message says what is wrong and how to put it right."""


class CompiledCache:
    """A folder of compiled programs, named by what they were compiled from and for."""

    def __init__(self, *, directory: Path, tag: str) -> None:
        self._directory = directory
        self._tag = tag
        self._known: dict[Path, tuple[int, int, int, str]] = {}

    def open(self) -> None:
        """Make the folder if it is missing, check that it is private, and clear out what older versions left."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._directory.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise CacheUnsafe(f"{self._directory} is not a folder; move it away, it is made again.")
        if found.st_uid != os.geteuid():
            raise CacheUnsafe(f"{self._directory} belongs to another user; move it away, it is made again.")
        if found.st_mode & 0o077:
            raise CacheUnsafe(f"{self._directory} is open to other users; run: chmod 700 {self._directory}")
        for leftover in self._directory.iterdir():
            if f"-{self._tag}." not in leftover.name and not _is_draft_of_the_living(leftover.name):
                _remove(leftover)

    def find(self, key: str) -> Path | None:
        """Return the compiled program if it is there, ours and intact; one that is not is removed."""
        path, digest_path = self._paths(key)
        try:
            if self._is_intact(path, digest_path):
                return path
        except FileNotFoundError:
            return None
        except OSError:
            pass
        _remove(path)
        _remove(digest_path)
        return None

    def drafts(self, key: str) -> tuple[Path, Path]:
        """Name two fresh files beside the cache: one for the source, one for what the compiler makes of it."""
        stem = f".draft-{os.getpid()}-{key[:16]}-{secrets.token_hex(8)}"
        return self._directory / f"{stem}.wasm", self._directory / f"{stem}.cwasm"

    def adopt(self, key: str, draft: Path) -> Path:
        """Put a finished draft in its place."""
        path, digest_path = self._paths(key)
        draft.chmod(0o600)
        # The digest goes first: a crash between the two leaves a program that does not match, and is compiled again.
        # Neither is synced: what a power cut damages does not match either.
        replace_file(digest_path, _digest(draft).encode(), durable=False)
        draft.replace(path)  # the compiler has written it whole, and in another process
        return path

    def discard(self, *drafts: Path) -> None:
        """Remove drafts, if they are still there."""
        for draft in drafts:
            _remove(draft)

    def write_source(self, draft: Path, wasm: bytes) -> None:
        """Write the program for the compiler to read."""
        write_new(draft, wasm, durable=False)

    def _paths(self, key: str) -> tuple[Path, Path]:
        stem = self._directory / f"{key}-{self._tag}"
        return stem.with_name(stem.name + ".cwasm"), stem.with_name(stem.name + ".sha256")

    def _is_intact(self, path: Path, digest_path: Path) -> bool:
        expected = _read_private(digest_path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not _is_private(found):
                return False
            seen = (found.st_size, found.st_mtime_ns, found.st_ino, expected)
            if self._known.get(path) == seen:
                return True
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                return False
            self._known[path] = seen
            return True


def _is_draft_of_the_living(name: str) -> bool:
    """Say whether this is a draft of a process that still runs. After a crash nobody finishes a draft."""
    first, _, rest = name.partition("-")
    if first != ".draft":
        return False
    try:
        os.kill(int(rest.partition("-")[0]), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _is_private(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _read_private(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not _is_private(os.fstat(file.fileno())):
            return ""
        return file.read(64).decode("ascii", "replace")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()

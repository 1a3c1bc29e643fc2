"""Reads a backup that may have been made to do harm: only plain files, only below the home, only what a home may hold.

A backup is read once, from the first byte to the last. What is unpacked lies aside until the manifest, which comes
last, has been held against every file.
"""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gzip import GzipFile
from pathlib import Path
from typing import IO

from daemon.base.files import open_regular, sync_folder
from daemon.custody.contents import RESTORED, SNAPSHOT, belongs, is_plain
from daemon.custody.manifest import INSIDE, MANIFEST, BackupError, Kept, Manifest

_CHUNK = 256 * 1024
_SLACK = 2 * _CHUNK
"""How much may come between two files: a header, and no more. Some headers would else be read into memory whole."""
_MAX_MANIFEST = 64 * 2**20
_MAX_FILES = 500_000
_ERRORS = (
    *(tarfile.TarError, EOFError, zlib.error, ValueError, LookupError, OverflowError, RecursionError),
    *(AssertionError, AttributeError, TypeError),
)
"""What tarfile answers hostile headers with."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Sink = Callable[[str, int], IO[bytes] | None]
"""Opens what a file is written to, by its path and mode; None to only look at it."""


def check(path: Path) -> Manifest:
    """Read a backup through and compare every file with its manifest; raises BackupError and OSError."""
    return _read(path, lambda name, mode: None, most=None)  # noqa: ARG005 - the form of a sink


def unpack(path: Path, folder: Path, *, most: int) -> Manifest:
    """Unpack a backup into an empty folder, with at most so many bytes, and bring it to the disk.

    Raises BackupError and OSError; then the folder holds something that nobody may use.
    """
    made = {folder}

    def sink(name: str, mode: int) -> IO[bytes]:
        place = folder / name
        for above in reversed(place.relative_to(folder).parents):
            if folder / above not in made:
                (folder / above).mkdir(mode=0o700)
                made.add(folder / above)
        descriptor = os.open(place, _NEW, 0o600)
        os.fchmod(descriptor, mode)
        return os.fdopen(descriptor, "wb")

    manifest = _read(path, sink, most=most)
    for each in sorted(made, reverse=True):
        sync_folder(each)
    return manifest


def _read(path: Path, sink: Sink, *, most: int | None) -> Manifest:
    found: dict[str, Kept] = {}
    folded: set[str] = set()
    manifest: Manifest | None = None
    written = 0
    with _opened(path) as (stream, archive):
        while (member := _next(stream, archive)) is not None:
            if manifest is not None:
                raise BackupError(f"{path} goes on behind its manifest: {member.name!r}. It was changed.")
            _check_kind(member)
            if member.name == MANIFEST:
                manifest = Manifest.decode(_content(stream, archive, member, most=_MAX_MANIFEST))
                continue
            name = _checked(member.name)
            if name.casefold() in folded or len(folded) >= _MAX_FILES:
                raise BackupError(f"{name!r} is in the backup twice, or there are too many files in it.")
            folded.add(name.casefold())
            written += member.size
            if most is not None and written > most:
                raise BackupError(
                    f"The backup unpacks to more than {most // 2**20} MiB, and the disk has no room for it."
                )
            found[name] = _take(stream, archive, member, sink(name, member.mode & 0o700))
        stream.finish()
    if manifest is None:
        raise BackupError(f"{path} ends before its manifest: it is cut off, or no backup of Aileron.")
    _compare(manifest, found)
    return manifest


def _compare(manifest: Manifest, found: dict[str, Kept]) -> None:
    for name in sorted({*manifest.files, *found}):
        if manifest.files.get(name) != found.get(name):
            raise BackupError(f"{name!r} in the backup is not what its manifest says: it was changed or damaged.")
    missing = [name for name in (*SNAPSHOT, RESTORED, "ca/audit.key") if name not in found]
    if missing:
        raise BackupError(f"The backup has no {missing[0]}, so it is none of a whole home.")


class _Bounded:
    """A stream that gives out no more than was granted, so that no header can fill the memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.left = 0

    def read(self, size: int) -> bytes:
        """Read on."""
        self.left -= size
        if self.left < -_SLACK:
            raise BackupError("The backup has a header of a kind that no backup of Aileron has.")
        return self._file.read(size)

    def finish(self) -> None:
        """Read to the end, where the checksum of the whole stands; nothing may come there but what fills a block."""
        rest = self._file.read(_SLACK)
        if rest.strip(b"\0") or self._file.read(1):
            raise BackupError("Something comes behind the end of the backup: it was changed.")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[_Bounded, tarfile.TarFile]]:
    try:
        with os.fdopen(open_regular(path, follow=True), "rb") as file, GzipFile(fileobj=file, mode="rb") as zipped:
            stream = _Bounded(zipped)  # type: ignore[arg-type]
            stream.left = _SLACK
            with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK, errorlevel=2) as archive:  # type: ignore[call-overload]
                yield stream, archive
    except _ERRORS as problem:
        raise BackupError(f"{path} cannot be read as a backup ({problem}): it is cut off or damaged.") from problem
    except OSError as problem:
        if problem.errno is None:  # how gzip says that a file is none of its own
            raise BackupError(f"{path} is no backup of Aileron.") from problem
        raise


def _next(stream: _Bounded, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    stream.left = _SLACK
    return archive.next()


def _check_kind(member: tarfile.TarInfo) -> None:
    if not member.isreg() or member.issparse() or member.pax_headers or member.size < 0:
        raise BackupError(
            f"{member.name!r} in the backup is no plain file: a link, a device or a folder has no place in it."
        )


def _checked(name: str) -> str:
    """Return a member's path below the home; every form that could mean a place elsewhere is refused."""
    path = name.removeprefix(INSIDE)
    if not name.startswith(INSIDE) or not is_plain(path):
        raise BackupError(f"{name!r} in the backup is not the path of a file in a home: it was made to do harm.")
    if not belongs(path):
        raise BackupError(f"{name!r} has no place in a backup: a home makes it by itself, so it could only do harm.")
    return path


def _take(stream: _Bounded, archive: tarfile.TarFile, member: tarfile.TarInfo, target: IO[bytes] | None) -> Kept:
    digest = hashlib.sha256()
    size = 0
    try:
        for chunk in _chunks(stream, archive, member):
            digest.update(chunk)
            size += len(chunk)
            if target is not None:
                target.write(chunk)
        if target is not None:
            target.flush()
            os.fsync(target.fileno())
    finally:
        if target is not None:
            target.close()
    return Kept(size=size, sha256=digest.hexdigest(), mode=member.mode)


def _content(stream: _Bounded, archive: tarfile.TarFile, member: tarfile.TarInfo, *, most: int) -> bytes:
    if member.size > most:
        raise BackupError("The manifest of the backup is too large to be one.")
    return b"".join(_chunks(stream, archive, member))


def _chunks(stream: _Bounded, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    content = archive.extractfile(member)
    left = member.size
    while left:
        stream.left = _SLACK
        chunk = b"" if content is None else content.read(min(left, _CHUNK))
        if not chunk:
            raise BackupError(f"The backup ends in the middle of {member.name!r}: it is cut off.")
        left -= len(chunk)
        yield chunk

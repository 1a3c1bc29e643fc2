"""Packs a home: the log as the daemon has put it aside, the files as they lie there, and a manifest at the end."""

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from daemon.custody.contents import RESTORED, SNAPSHOT, is_plain, survey
from daemon.custody.manifest import INSIDE, MANIFEST, About, BackupError, Kept, Manifest

_PRIVATE = 0o600
_LEVEL = 3
"""Of compression: twice as fast as the usual one, and a few per cent larger."""


@dataclass(slots=True)
class Packed:
    """What went into a backup, and what a person should know of it."""

    manifest: Manifest
    left_out: list[str] = field(default_factory=list)
    followed: list[str] = field(default_factory=list)
    """Links whose target's content was packed."""


def pack(target: IO[bytes], home: Path, snapshot: Path, about: About) -> Packed:
    """Write a backup; `snapshot` is the folder where the daemon has put the log. Raises OSError and BackupError."""
    packed = Packed(Manifest(about=about))
    with (
        gzip.GzipFile(fileobj=target, mode="wb", filename="", mtime=0, compresslevel=_LEVEL) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in SNAPSHOT:
            with (snapshot / Path(path).name).open("rb") as file:
                _add(archive, packed.manifest, path, file, mode=_PRIVATE)
        # Whoever unpacks a backup by hand has it as well.
        _add(archive, packed.manifest, RESTORED, io.BytesIO(json.dumps(about.as_json()).encode()), mode=_PRIVATE)
        for path in survey(home):
            _add_from(archive, packed, home, path)
        raw = packed.manifest.encode()
        archive.addfile(_member(MANIFEST, size=len(raw), mode=_PRIVATE), io.BytesIO(raw))
    return packed


def _add_from(archive: tarfile.TarFile, packed: Packed, home: Path, path: str) -> None:
    place = home / path
    if not is_plain(path):
        packed.left_out.append(f"{path} (its name is too long, or cannot be shown)")
        return
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if place.is_symlink():
            packed.left_out.append(f"{path} (a link that leads nowhere)")
        return  # it went away since the folder was read
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        what = "a link to a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        packed.left_out.append(f"{path} ({what})")
        return
    with os.fdopen(descriptor, "rb") as file:
        if place.is_symlink():
            packed.followed.append(path)
        _add(archive, packed.manifest, path, file, mode=stat.S_IMODE(status.st_mode) & 0o700)


def _add(archive: tarfile.TarFile, manifest: Manifest, path: str, file: IO[bytes], *, mode: int) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    hashed = _Hashed(file)
    try:
        archive.addfile(_member(INSIDE + path, size=size, mode=mode), hashed)
    except (ValueError, UnicodeError) as problem:
        raise BackupError(f"{path!r} cannot be packed ({problem}). Give it a shorter, plainer name.") from problem
    manifest.files[path] = Kept(size=size, sha256=hashed.digest.hexdigest(), mode=mode)


def _member(name: str, *, size: int, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, mode
    return member


class _Hashed(io.RawIOBase):
    """Hashes what is read of a file."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._file.read(size)
        self.digest.update(data)
        return data

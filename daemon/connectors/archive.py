"""Reading a connector release out of an untrusted tar archive or folder, without ever unpacking it to disk.

Three files are taken: connector.wasm, manifest.toml and signature.sig. Other regular files (a README, a licence) are
skipped, within the caps. Everything else (links, devices, odd paths, sparse files) makes the whole archive refused.
"""

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from daemon.base.files import open_regular
from daemon.connectors.errors import InstallError

WASM_NAME = "connector.wasm"
MANIFEST_NAME = "manifest.toml"
SIGNATURE_NAME = "signature.sig"

MAX_SIZES = {WASM_NAME: 64 * 1024 * 1024, MANIFEST_NAME: 256 * 1024, SIGNATURE_NAME: 4 * 1024}
MAX_MEMBERS = 64
MAX_OTHER_SIZE = 1024 * 1024  # one README or licence
MAX_UNPACKED = sum(MAX_SIZES.values()) + 8 * 1024 * 1024  # the three files, a few others, and tar's own blocks
MAX_PACKED = MAX_UNPACKED  # an archive is never worth more than what it may hold
_CHUNK = 256 * 1024
_WASM_MAGIC = b"\0asm"

# tarfile meets hostile headers with any of these; none of them may leave this module.
_TAR_ERRORS = (
    tarfile.TarError,
    OSError,
    EOFError,
    zlib.error,
    ValueError,
    LookupError,
    OverflowError,
    RecursionError,
    AssertionError,
    AttributeError,
    TypeError,
)


@dataclass(frozen=True, slots=True)
class Release:
    """The files of one connector release, as they were read once and as everything after uses them."""

    wasm: bytes = field(repr=False)
    manifest: bytes = field(repr=False)
    signature: bytes | None = field(repr=False)


def read_archive(path: Path, *, name: str) -> Release:
    """Read a release from a tar archive, plain or gzipped; `name` is what the person called it."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_PACKED:
                raise InstallError(f"{name} is larger than {MAX_PACKED} bytes; a connector archive is at most that.")
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not zipped:
                return _read_tar(_Capped(file.read, name=name), name=name)
            with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
                return _read_tar(_Capped(unzipped.read, name=name), name=name)
    except _TAR_ERRORS as error:
        raise InstallError(
            f"{name} is not a readable tar archive ({_reason(error)}). Pack the release again with"
            f" 'tar czf release.tar.gz {WASM_NAME} {MANIFEST_NAME} {SIGNATURE_NAME}'."
        ) from error


def read_folder(path: Path, *, name: str) -> Release:
    """Read a release from a folder; files are opened once, without following links, and only then looked at."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InstallError(f"{name} cannot be opened as a folder ({error.strerror}).") from error
    try:
        found = {file: _read_loose(folder, file, name=name) for file in MAX_SIZES}
    finally:
        os.close(folder)
    return _assemble({file: data for file, data in found.items() if data is not None}, name=name)


def _read_loose(folder: int, file: str, *, name: str) -> bytes | None:
    """Read one file of a folder, or say that it is not there."""
    try:
        handle = open_regular(file, folder=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InstallError(
            f"{file} in {name} cannot be read ({error.strerror}); it has to be a regular file, not a link."
        ) from error
    with os.fdopen(handle, "rb") as stream:
        return _read_limited(stream, file, name=name)


def _read_limited(stream: IO[bytes], file: str, *, name: str) -> bytes:
    limit = MAX_SIZES[file]
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise InstallError(f"{file} in {name} is larger than {limit} bytes, the most that is accepted.")
    return data


class _Capped:
    """A stream that ends the reading once more has come out of it than any honest archive holds."""

    def __init__(self, read: Callable[[int], bytes], *, name: str) -> None:
        self._read = read
        self._left = MAX_UNPACKED
        self._name = name

    def read(self, size: int) -> bytes:
        """Read at most so many bytes, refusing before the memory is spent."""
        if size > self._left:
            size = self._left + 1
        data = self._read(size)
        self._left -= len(data)
        if self._left < 0:
            raise InstallError(
                f"{self._name} unpacks to more than {MAX_UNPACKED} bytes; a connector release is at most that."
            )
        return data


def _read_tar(stream: _Capped, *, name: str) -> Release:
    """Go through the members once, in order; the stream mode of tarfile cannot seek back."""
    files: dict[tuple[str, ...], bytes] = {}
    paths: set[tuple[str, ...]] = set()
    folded: set[tuple[str, ...]] = set()
    members = 0
    with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK, errorlevel=2) as archive:  # type: ignore[call-overload]
        for member in archive:
            members += 1
            if members > MAX_MEMBERS:
                raise InstallError(f"{name} has more than {MAX_MEMBERS} members; a release has three files.")
            parts = _parts(member.name, name=name)
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise InstallError(
                    f"{member.name!r} in {name} is a {_kind(member)}; an archive may hold regular files only."
                )
            if not parts:
                raise InstallError(f"{name} has a file without a name; pack the release again.")
            key = tuple(part.casefold() for part in parts)
            if key in folded:
                raise InstallError(f"{member.name!r} is in {name} twice; each file may be there once.")
            folded.add(key)
            paths.add(parts)
            wanted = len(parts) <= 2 and parts[-1] in MAX_SIZES
            limit = MAX_SIZES[parts[-1]] if wanted else MAX_OTHER_SIZE
            if not 0 <= member.size <= limit:
                raise InstallError(
                    f"{member.name!r} in {name} is {member.size} bytes; at most {limit} bytes are accepted."
                )
            if wanted:
                content = archive.extractfile(member)
                data = content.read(limit + 1) if content is not None else b""
                if len(data) != member.size:
                    raise InstallError(f"{name} ends in the middle of {member.name!r}; fetch it again.")
                files[parts] = data
    top = _top_folder(paths)
    return _assemble(
        {parts[-1]: data for parts, data in files.items() if parts[:-1] == top},
        name=name,
    )


def _parts(path: str, *, name: str) -> tuple[str, ...]:
    """Split a member's path, refusing every form that could mean a place outside of the archive."""
    if path.startswith("/") or "\\" in path or "\0" in path:
        raise InstallError(f"{path!r} in {name} is not a relative path with forward slashes; pack it again.")
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    if ".." in parts:
        raise InstallError(f"{path!r} in {name} points outside of the archive; pack it again without '..'.")
    return parts


def _top_folder(paths: set[tuple[str, ...]]) -> tuple[str, ...]:
    """Find the one folder everything is in, or nothing when files stand at the top."""
    tops = {parts[:1] if len(parts) > 1 else () for parts in paths}
    return tops.pop() if len(tops) == 1 else ()


def _assemble(files: dict[str, bytes], *, name: str) -> Release:
    for file in (WASM_NAME, MANIFEST_NAME):
        if file not in files:
            raise InstallError(
                f"{name} has no {file}; a release has {WASM_NAME}, {MANIFEST_NAME} and {SIGNATURE_NAME},"
                " at the top or in one folder."
            )
    wasm, manifest = files[WASM_NAME], files[MANIFEST_NAME]
    if not wasm.startswith(_WASM_MAGIC):
        raise InstallError(f"{WASM_NAME} in {name} is not WebAssembly; put the compiled program there.")
    # Hash and signature cover the two files run together, with no mark between them. That is sound only because the
    # border cannot move: a WebAssembly section cannot be written without control characters, which TOML forbids.
    if b"\0" in manifest:
        raise InstallError(f"{MANIFEST_NAME} in {name} is not text; it has to be TOML in UTF-8.")
    return Release(wasm=wasm, manifest=manifest, signature=files.get(SIGNATURE_NAME))


def _kind(member: tarfile.TarInfo) -> str:
    if member.issparse():
        return "sparse file"
    if member.islnk() or member.issym():
        return "link"
    if member.isdev():
        return "device or pipe"
    return "member of an unknown kind"


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text[:200]

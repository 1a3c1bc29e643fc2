"""The content-addressed store: connectors by the hash of their bytes, checked again before every use.

<root>/connectors/sha256/<hex>/connector.wasm, manifest.toml, [signature.sig], installed.json
<root>/connectors/staging/<token>/        being fetched or on the way out; emptied when the store opens
"""

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.base.clock import Clock, Entropy
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.base.files import open_regular, replace_file, sync_folder, write_new
from daemon.connectors.archive import MANIFEST_NAME, SIGNATURE_NAME, WASM_NAME, Release
from daemon.connectors.record import InstallRecord
from daemon.connectors.verdict import SignatureState
from daemon.core.digests import connector_hash
from daemon.core.failures import Boundary, DocumentError, Failure, FailureClass
from daemon.core.manifest import Manifest
from daemon.core.manifest_parser import parse_manifest

RECORD_NAME = "installed.json"
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")
_READ_ONLY = 0o400
_UNCHANGED_NS = 100_000_000
"""A file may be written twice within one tick of its file system's clock; only an older status tells them apart."""

Fingerprint = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConnector:
    """A connector of the store whose bytes were found to match its hash."""

    hash: str
    manifest: Manifest
    wasm_path: Path
    record: InstallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedConnector:
    """A connector of the store that cannot be used, and why."""

    hash: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A verified connector and what its files looked like when they were read."""

    stored: StoredConnector
    wasm_path: str
    wasm: Fingerprint
    manifest_path: str
    manifest: Fingerprint
    unchanged_for_long: bool
    """So long that a further change would show in the times of the files."""


class ConnectorStore:
    """Keeps connectors on disk; safe to use from several threads."""

    def __init__(self, root: Path, *, clock: Clock, entropy: Entropy, faults: FaultPoints = NO_FAULTS) -> None:
        self._contents = root / "connectors" / "sha256"
        self._staging = root / "connectors" / "staging"
        self._clock = clock
        self._entropy = entropy
        self._faults = faults
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the folders, and clear away what an install left behind when it was interrupted."""
        for folder in (self._contents.parent.parent, self._contents.parent, self._contents, self._staging):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        for leftover in self._staging.iterdir():
            _discard(leftover)

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Lend a private folder on the store's own file system, and take it back whatever happens."""
        folder = self._staging / self._entropy(12).hex()
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            _discard(folder)

    def publish(self, release: Release, record: InstallRecord) -> tuple[StoredConnector, bool]:
        """Put a release into the store in one step; the flag says whether its bytes were not there before."""
        content_hash = connector_hash(release.wasm, release.manifest)
        target = self._folder(content_hash)
        with self.staging() as folder, self._lock:
            fresh = folder / "content"
            fresh.mkdir(mode=0o700)
            write_new(fresh / WASM_NAME, release.wasm, mode=_READ_ONLY)
            write_new(fresh / MANIFEST_NAME, release.manifest, mode=_READ_ONLY)
            if release.signature is not None:
                write_new(fresh / SIGNATURE_NAME, release.signature, mode=_READ_ONLY)
            write_new(fresh / RECORD_NAME, record.to_bytes(), mode=_READ_ONLY)
            sync_folder(fresh)
            self._faults.hit("connector.before_publish")
            added = True
            if target.exists():
                added = not self._keep_existing(content_hash, release, record)
                if added:
                    self._known.pop(content_hash, None)
                    target.rename(folder / "damaged")
            if added:
                fresh.rename(target)
                sync_folder(self._contents)
            self._faults.hit("connector.after_publish")
            return self._load(content_hash), added

    def fresh(self, content_hash: str) -> StoredConnector | None:
        """Return a connector whose files are, by two looks at their status, the ones that were verified last."""
        known = self._known.get(content_hash)
        if known is None or not known.unchanged_for_long:
            return None
        try:
            if (
                _fingerprint(os.lstat(known.wasm_path)) == known.wasm
                and _fingerprint(os.lstat(known.manifest_path)) == known.manifest
            ):
                return known.stored
        except OSError:
            return None
        return None

    def verified(self, content_hash: str) -> StoredConnector | None:
        """Return a connector, hashing its files again unless they are as they were; None if it is not there."""
        stored = self.fresh(content_hash)
        if stored is not None:
            return stored
        if not _HASH.fullmatch(content_hash) or not self._folder(content_hash).exists():
            return None
        with self._lock:
            return self._load(content_hash)

    def read(self, content_hash: str) -> Release:
        """Return the files of a connector, hashed just now."""
        release, _ = self._read(content_hash)
        return release

    def hashes(self) -> tuple[str, ...]:
        """Return the hashes of everything in the store, sound or not."""
        return tuple(sorted(f"sha256:{entry.name}" for entry in self._contents.iterdir() if _HEX.fullmatch(entry.name)))

    def list(self) -> tuple[StoredConnector | DamagedConnector, ...]:
        """Return everything in the store, by name and version; what is damaged comes last."""
        sound: list[StoredConnector] = []
        damaged: list[DamagedConnector] = []
        for content_hash in self.hashes():
            try:
                stored = self.verified(content_hash)
            except Failure as failure:
                damaged.append(DamagedConnector(hash=content_hash, problem=failure.message))
                continue
            if stored is not None:
                sound.append(stored)
        # Of one version built twice, the one installed last is the one the person means now.
        sound.sort(key=lambda s: (s.manifest.name, s.manifest.version, s.record.installed_ms, s.hash))
        return (*sound, *damaged)

    def note_signer(self, content_hash: str, key_id: str) -> None:
        """Write down which key made a connector's signature, when that comes out after the install."""
        with self._lock:
            stored = self._load(content_hash)
            self._write_record(content_hash, replace(stored.record, key_id=key_id))
            self._load(content_hash)

    def remove(self, content_hash: str) -> bool:
        """Take a connector out of the store in one step; False if it was not there."""
        if not _HASH.fullmatch(content_hash):
            return False
        with self.staging() as folder, self._lock:
            self._known.pop(content_hash, None)
            try:
                self._folder(content_hash).rename(folder / "removed")
            except FileNotFoundError:
                return False
            sync_folder(self._contents)
            return True

    def _folder(self, content_hash: str) -> Path:
        if not _HASH.fullmatch(content_hash):
            raise Failure(
                FailureClass.NOT_FOUND,
                f"{content_hash!r} is not a connector's hash; it is written sha256: and 64 hex digits.",
                boundary=Boundary.RUNTIME,
            )
        return self._contents / content_hash.removeprefix("sha256:")

    def _keep_existing(self, content_hash: str, release: Release, record: InstallRecord) -> bool:
        """Keep the same bytes if they are sound; a better signature than the one they came with is taken over."""
        self._known.pop(content_hash, None)
        try:
            existing = self._load(content_hash)
        except Failure:
            return False
        held = existing.record
        if release.signature is None or record.signature is not SignatureState.TRUSTED:
            return True
        if held.signature is not SignatureState.TRUSTED or held.key_id != record.key_id:
            path = self._folder(content_hash) / SIGNATURE_NAME
            replace_file(path, release.signature, mode=_READ_ONLY)
            self._write_record(content_hash, record)
        return True

    def _write_record(self, content_hash: str, record: InstallRecord) -> None:
        path = self._folder(content_hash) / RECORD_NAME
        replace_file(path, record.to_bytes(), mode=_READ_ONLY)

    def _load(self, content_hash: str) -> StoredConnector:
        """Read, hash and parse; what is parsed is what was hashed, and what is remembered is what was read."""
        self._known.pop(content_hash, None)
        folder = self._folder(content_hash)
        now_ns = self._clock.now_ms() * 1_000_000
        release, (wasm, manifest) = self._read(content_hash)
        record_path = folder / RECORD_NAME
        try:
            record = InstallRecord.from_bytes(record_path.read_bytes(), file=str(record_path))
        except OSError as error:
            raise _unreadable(content_hash, record_path, error) from error
        try:
            parsed = parse_manifest(release.manifest.decode(), file=str(folder / MANIFEST_NAME))
        except (UnicodeDecodeError, DocumentError) as error:
            raise Failure(
                FailureClass.INVALID_ARGUMENTS,
                f"The manifest of the connector {content_hash} breaks a rule of this version: {error}",
                boundary=Boundary.CONNECTOR_MANIFEST,
            ) from error
        stored = StoredConnector(hash=content_hash, manifest=parsed, wasm_path=folder / WASM_NAME, record=record)
        self._known[content_hash] = _Known(
            stored=stored,
            wasm_path=str(folder / WASM_NAME),
            wasm=wasm,
            manifest_path=str(folder / MANIFEST_NAME),
            manifest=manifest,
            unchanged_for_long=max(wasm[2], manifest[2]) + _UNCHANGED_NS < now_ns,
        )
        return stored

    def _read(self, content_hash: str) -> tuple[Release, tuple[Fingerprint, Fingerprint]]:
        folder = self._folder(content_hash)
        wasm, wasm_print = _read_file(content_hash, folder / WASM_NAME)
        manifest, manifest_print = _read_file(content_hash, folder / MANIFEST_NAME)
        signature_path = folder / SIGNATURE_NAME
        signature = _read_file(content_hash, signature_path)[0] if signature_path.exists() else None
        found = connector_hash(wasm, manifest)
        if found != content_hash:
            raise Failure(
                FailureClass.HASH_MISMATCH,
                f"The connector {content_hash} was changed on disk: its files now have the hash {found}."
                " It does not run. Remove it, find out who changed it, and install it again.",
                boundary=Boundary.RUNTIME,
                details={"expected": content_hash, "found": found, "folder": str(folder)},
            )
        return Release(wasm=wasm, manifest=manifest, signature=signature), (wasm_print, manifest_print)


def _read_file(content_hash: str, path: Path) -> tuple[bytes, Fingerprint]:
    try:
        handle = open_regular(path)
        with os.fdopen(handle, "rb") as file:
            # The status from before the read: a change during it shows as a difference the next time.
            status = os.fstat(handle)
            return file.read(), _fingerprint(status)
    except OSError as error:
        raise _unreadable(content_hash, path, error) from error


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)


def _unreadable(content_hash: str, path: Path, error: OSError) -> Failure:
    return Failure(
        FailureClass.HASH_MISMATCH,
        f"The connector {content_hash} is not whole: {path} cannot be read ({error.strerror})."
        " Remove the connector and install it again.",
        boundary=Boundary.RUNTIME,
        details={"expected": content_hash, "file": str(path)},
    )


def _discard(path: Path) -> None:
    """Delete a staging entry; what cannot be deleted now is tried again when the store opens."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()

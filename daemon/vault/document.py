"""The vault file as a value: its fields, how they are written, and how a file is read back without trusting it."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from daemon.core.canonical import CanonicalError, canonical_json
from daemon.vault.crypto import KEY_BYTES, NONCE_BYTES, PADDING_BUCKET, SALT_BYTES, TAG_BYTES, KdfCost
from daemon.vault.errors import EntryRefused, VaultDamaged, VaultTooNew
from daemon.vault.names import check_name

FORMAT = "aileron-vault"
FORMAT_VERSION = 1
_MOST_INTEGER = 2**53 - 1
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """The data key, wrapped, and how its wrapping key is derived from the passphrase."""

    cost: KdfCost
    salt: bytes
    nonce: bytes
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """One entry as it stands in the file: readable labels and a ciphertext."""

    name: str
    kind: str
    version: int
    created_ms: int
    updated_ms: int
    metadata: Mapping[str, Any]
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contents:
    """All that the file says besides its key: entries, choices, and the revision, which only ever grows."""

    revision: int
    entries: Mapping[str, SealedEntry]
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VaultDocument:
    """A whole vault file."""

    header: KeyHeader
    contents: Contents
    mac: str
    intact: bool = True
    """Whether the checksum matched, which tells an accident from a wrong passphrase; it proves nothing."""


def covered_text(header: KeyHeader, contents: Contents) -> bytes:
    """Return the canonical text that the file's MAC covers: everything but the MAC and the checksum."""
    return canonical_json(_body(header, contents)).encode()


def write_document(document: VaultDocument) -> bytes:
    """Write a vault file: indented and sorted, so that one document has exactly one text."""
    data = _body(document.header, document.contents) | {"mac": document.mac}
    return _layout(data | {"checksum": _checksum(data)})


def read_document(raw: bytes, *, file: str) -> VaultDocument:
    """Read a vault file; raises VaultDamaged naming the part that is not what Aileron writes, or VaultTooNew."""
    data = _read_json(raw, file=file)
    part = _Part(file, data, "the file")
    format_name, format_version = data.get("format"), data.get("version")
    checksum = data.get("checksum")
    try:
        intact = checksum == _checksum({key: value for key, value in data.items() if key != "checksum"})
    except CanonicalError:
        raise VaultDamaged(file=file, part="it holds a value that no vault holds") from None
    if format_name == FORMAT and isinstance(format_version, int) and format_version > FORMAT_VERSION and intact:
        raise VaultTooNew(
            f"{file} has format {format_version}; this Aileron knows format {FORMAT_VERSION} at most. Update Aileron.",
            details={"file": file},
        )
    if format_name != FORMAT or format_version != FORMAT_VERSION or isinstance(format_version, bool):
        raise VaultDamaged(file=file, part="its format or version is not one of a vault")
    part.exactly({"format", "version", "kdf", "wrapped_key", "revision", "entries", "choices", "mac", "checksum"})
    revision = part.integer("revision")
    entries = {
        name: _read_entry(name, part.table("entries").sub(name), revision) for name in part.table("entries").data
    }
    choices = part.table("choices")
    mac = part.text("mac")
    if _HEX_DIGEST.match(mac) is None or _HEX_DIGEST.match(part.text("checksum")) is None:
        raise VaultDamaged(file=file, part="its MAC or checksum is not one")
    document = VaultDocument(
        _read_header(part),
        Contents(revision, entries, {fqn: choices.text(fqn) for fqn in choices.data}),
        mac,
        intact,
    )
    if _layout(data) != raw:
        raise VaultDamaged(file=file, part="its layout is not the one Aileron writes, so it was edited")
    return document


def _body(header: KeyHeader, contents: Contents) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kdf": {
            "name": "argon2id",
            "iterations": header.cost.iterations,
            "memory_kib": header.cost.memory_kib,
            "lanes": header.cost.lanes,
            "salt": _encode(header.salt),
        },
        "wrapped_key": {"nonce": _encode(header.nonce), "ciphertext": _encode(header.wrapped)},
        "revision": contents.revision,
        "entries": {
            entry.name: {
                "kind": entry.kind,
                "version": entry.version,
                "created_ms": entry.created_ms,
                "updated_ms": entry.updated_ms,
                "metadata": entry.metadata,
                "nonce": _encode(entry.nonce),
                "ciphertext": _encode(entry.ciphertext),
            }
            for entry in contents.entries.values()
        },
        "choices": dict(contents.choices),
    }


def _layout(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=True).encode() + b"\n"


def _checksum(data: Mapping[str, Any]) -> str:
    return sha256(canonical_json(data).encode()).hexdigest()


def _read_json(raw: bytes, *, file: str) -> dict[str, Any]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        place = "it is empty" if not raw else "it is not JSON text from beginning to end"
        raise VaultDamaged(file=file, part=place) from None
    if not isinstance(data, dict):
        raise VaultDamaged(file=file, part="it is not a JSON object")
    return data


def _read_header(part: "_Part") -> KeyHeader:
    kdf, wrapped = part.table("kdf"), part.table("wrapped_key")
    kdf.exactly({"name", "iterations", "memory_kib", "lanes", "salt"})
    wrapped.exactly({"nonce", "ciphertext"})
    if kdf.text("name") != "argon2id":
        raise kdf.damaged("names a key derivation that is not argon2id")
    try:
        cost = KdfCost(kdf.integer("iterations"), kdf.integer("memory_kib"), kdf.integer("lanes"))
    except ValueError as problem:
        raise kdf.damaged(f"is refused: {problem}") from None
    return KeyHeader(
        cost,
        kdf.octets("salt", length=SALT_BYTES),
        wrapped.octets("nonce", length=NONCE_BYTES),
        wrapped.octets("ciphertext", length=KEY_BYTES + TAG_BYTES),
    )


def _read_entry(name: str, part: "_Part", revision: int) -> SealedEntry:
    part.exactly({"kind", "version", "created_ms", "updated_ms", "metadata", "nonce", "ciphertext"})
    kind, version, ciphertext = part.text("kind"), part.integer("version"), part.octets("ciphertext")
    try:
        check_name(name, kind=kind)
    except EntryRefused:
        raise part.damaged("has a name or kind that no entry has") from None
    if not 0 < version <= revision:
        raise part.damaged("has a version that was never given out")
    if len(ciphertext) < PADDING_BUCKET + TAG_BYTES or (len(ciphertext) - TAG_BYTES) % PADDING_BUCKET:
        raise part.damaged("has a ciphertext of a length that sealing does not make")
    return SealedEntry(
        name,
        kind,
        version,
        part.integer("created_ms"),
        part.integer("updated_ms"),
        part.table("metadata").data,
        part.octets("nonce", length=NONCE_BYTES),
        ciphertext,
    )


def _encode(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


@dataclass(frozen=True, slots=True)
class _Part:
    """A table of the file with the words that name it in a complaint."""

    file: str
    data: dict[str, Any]
    label: str

    def damaged(self, problem: str) -> VaultDamaged:
        return VaultDamaged(file=self.file, part=f"{self.label} {problem}")

    def exactly(self, keys: set[str]) -> None:
        if self.data.keys() != keys:
            raise self.damaged("does not hold the fields it should")

    def sub(self, key: str) -> "_Part":
        value = self.data[key]
        if not isinstance(value, dict):
            raise self.damaged(f"holds an entry {key[:80]!r} that is not a table")
        return _Part(self.file, value, f"the entry {key[:80]!r}")

    def table(self, key: str) -> "_Part":
        value = self.data[key]
        if not isinstance(value, dict):
            raise self.damaged(f"has a {key} that is not a table")
        return _Part(self.file, value, key if self.label == "the file" else f"{key} of {self.label}")

    def text(self, key: str) -> str:
        value = self.data[key]
        if not isinstance(value, str):
            raise self.damaged(f"has a {key[:80]} that is not text")
        return value

    def integer(self, key: str) -> int:
        value = self.data[key]
        if type(value) is not int or not 0 <= value <= _MOST_INTEGER:
            raise self.damaged(f"has a {key} that is not a number it could be")
        return value

    def octets(self, key: str, *, length: int | None = None) -> bytes:
        try:
            octets = base64.b64decode(self.text(key), validate=True)
        except (binascii.Error, ValueError):
            raise self.damaged(f"has a {key} that is not base64") from None
        if length is not None and len(octets) != length:
            raise self.damaged(f"has a {key} of the wrong length")
        return octets

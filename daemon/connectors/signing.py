"""Signing a release of one's own: a key in a file that only its owner reads, and the signature beside the program."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from daemon.base.files import create_file, open_regular, replace_file
from daemon.connectors.archive import SIGNATURE_NAME, Release, read_folder
from daemon.connectors.errors import InstallError
from daemon.connectors.signatures import key_id, sign
from daemon.core.failures import DocumentError
from daemon.core.manifest_parser import parse_manifest

_READABLE = 0o644
_MAX_KEY = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What was signed, and with which key."""

    name: str
    version: str
    key_id: str
    signature: Path


def public_path(key: Path) -> Path:
    """Return where the public half of a key lies."""
    return key.with_name(f"{key.name}.pub")


def make_key(path: Path) -> None:
    """Make a new key that only its owner can read, and its public half beside it. Raises OSError."""
    key = Ed25519PrivateKey.generate()
    create_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    create_file(public_path(path), _public_pem(key), mode=_READABLE)


def sign_folder(folder: Path, key_file: Path) -> Signed:
    """Put a signature beside the program and the manifest of a folder. Raises InstallError and OSError."""
    key = _read_key(key_file)
    release = read_folder(folder, name=str(folder))
    name, version = _named(release, folder)
    target = folder / SIGNATURE_NAME
    replace_file(target, sign(key, release.wasm, release.manifest), mode=_READABLE)
    if read_folder(folder, name=str(folder)).manifest != release.manifest:
        target.unlink(missing_ok=True)
        raise InstallError(f"{folder} changed while it was signed. Sign it again when nothing writes to it.")
    return Signed(name=name, version=version, key_id=key_id(key.public_key().public_bytes_raw()), signature=target)


def _named(release: Release, folder: Path) -> tuple[str, str]:
    try:
        manifest = parse_manifest(release.manifest.decode(), file=str(folder / "manifest.toml"))
    except (DocumentError, UnicodeDecodeError) as problem:
        raise InstallError(f"{problem}. Nothing was signed: nobody could install it.") from problem
    return str(manifest.name), str(manifest.version)


def _read_key(path: Path) -> Ed25519PrivateKey:
    with os.fdopen(open_regular(path, follow=True), "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise InstallError(f"Others may read the key {path}, so it is not used. Run: chmod 600 {path}")
        raw = file.read(_MAX_KEY)
    try:
        key = load_pem_private_key(raw, password=None)
    except TypeError as problem:
        raise InstallError(f"{path} is locked with a passphrase; decrypt it to a file of its own first.") from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise InstallError(f"{path} is not a private key in PEM. Make one with --new-key.") from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise InstallError(f"{path} is not an Ed25519 key. Make one with --new-key.")
    return key


def _public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

"""The key that signs checkpoints and exported heads."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class SigningKeyError(Exception):
    """The key file cannot be used; the message says why and what to do."""


def signed_text(*, purpose: str, seq: int, head: str, time: str) -> bytes:
    """Return the bytes a signature covers; the purpose keeps a checkpoint from passing as a head."""
    return f"aileron-audit-{purpose}-v1\n{seq}\n{head}\n{time}".encode()


def key_id_of(public_key: bytes) -> str:
    """Return the short name of a public key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


class CheckpointSigner:
    """Signs with the installation's own audit key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public_key)

    @classmethod
    def open(cls, path: Path) -> "CheckpointSigner":
        """Read the key of a file, making it if there is none."""
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return cls(_create(path))
        try:
            key = serialization.load_pem_private_key(raw, password=None)
        except ValueError as problem:
            raise SigningKeyError(
                f"{path} is not a readable key. If you have a copy, restore it; otherwise move it away: a new key "
                "will be made, and checkpoints of the old one can no longer be checked."
            ) from problem
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningKeyError(f"{path} is not an Ed25519 key; move it away and a new one will be made.")
        return cls(key)

    def sign(self, *, purpose: str, seq: int, head: str, time: str) -> str:
        """Return the signature in base64."""
        return base64.b64encode(self._key.sign(signed_text(purpose=purpose, seq=seq, head=head, time=time))).decode()

    def public_keys(self) -> dict[str, bytes]:
        """Return the keys whose signatures count, by their id."""
        return {self.key_id: self.public_key}


def signature_holds(public_key: bytes, signature: str, *, purpose: str, seq: int, head: str, time: str) -> bool:
    """Say whether a signature is this key's, over this."""
    try:
        raw = base64.b64decode(signature, validate=True)
        text = signed_text(purpose=purpose, seq=seq, head=head, time=time)
        Ed25519PublicKey.from_public_bytes(public_key).verify(raw, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _create(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, pem)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    return key

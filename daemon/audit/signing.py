"""The key that signs checkpoints and exported heads, and authenticates what is kept of the log outside the database."""

import base64
import hashlib
import hmac
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from daemon.base.files import replace_file

_SEALED = b"# The log under this key has a seal: audit.seal, beside this file. Without it the log counts as damaged.\n"


class SigningKeyError(Exception):
    """The key file cannot be used; the message says why and what to do."""


def signed_text(*, purpose: str, seq: int, head: str, time: str) -> bytes:
    """Return the bytes a signature covers; the purpose keeps a checkpoint from passing as a head."""
    return f"aileron-audit-{purpose}-v1\n{seq}\n{head}\n{time}".encode()


def key_id_of(public_key: bytes) -> str:
    """Return the short name of a public key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


class CheckpointSigner:
    """Signs with the installation's own audit key.

    The key file also holds one mark: whether a seal was ever written beside it. A home of a version without seals has
    no mark. Whoever deletes the seal cannot take the mark away without replacing the key, which shows.
    """

    def __init__(self, key: Ed25519PrivateKey, *, path: Path, sealed: bool) -> None:
        self._key = key
        self.path = path
        self.sealed = sealed
        self.public_key = key.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public_key)
        outside_key = hmac.digest(key.private_bytes_raw(), b"aileron-audit-outside-v1", "sha256")
        self._inner, self._outer = (hashlib.sha256(_padded(outside_key, byte)) for byte in (0x36, 0x5C))

    @classmethod
    def open(cls, path: Path) -> "CheckpointSigner":
        """Read the key of a file, making it if there is none."""
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            key = Ed25519PrivateKey.generate()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, _pem(key))
            return cls(key, path=path, sealed=False)
        try:
            loaded = serialization.load_pem_private_key(raw, password=None)
        except ValueError as problem:
            raise SigningKeyError(
                f"{path} is not a readable key. If you have a copy, restore it; otherwise move it away: a new key "
                "will be made, and checkpoints of the old one can no longer be checked."
            ) from problem
        if not isinstance(loaded, Ed25519PrivateKey):
            raise SigningKeyError(f"{path} is not an Ed25519 key; move it away and a new one will be made.")
        return cls(loaded, path=path, sealed=raw.startswith(_SEALED))

    def mark_sealed(self) -> None:
        """Note in the key file, for good, that there is a seal."""
        if not self.sealed:
            replace_file(self.path, _SEALED + _pem(self._key))
            self.sealed = True

    def sign(self, *, purpose: str, seq: int, head: str, time: str) -> str:
        """Return the signature in base64."""
        return self.sign_text(signed_text(purpose=purpose, seq=seq, head=head, time=time))

    def sign_text(self, text: bytes) -> str:
        """Return the signature of a text, in base64; the text must begin with what it is for."""
        return base64.b64encode(self._key.sign(text)).decode()

    def authenticate(self, text: bytes) -> str:
        """Return the code that proves a text of ours outside the database; as cheap as a hash, and needs the key.

        It is HMAC with SHA-256. Both hashes have taken in the key already, because every commit asks for two codes, and
        the library's own function prepares the key each time.
        """
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.hexdigest()

    def public_keys(self) -> dict[str, bytes]:
        """Return the keys whose signatures count, by their id."""
        return {self.key_id: self.public_key}


def public_pem(public_key: bytes) -> str:
    """Return a public key as a PEM block, which a person can keep in a file."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_pem(raw: bytes) -> bytes:
    """Read a public key that was written by `public_pem`; raises ValueError for everything else."""
    try:
        key = serialization.load_pem_public_key(raw)
    except UnsupportedAlgorithm as problem:
        raise ValueError("it is a key of another kind") from problem
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("it is a key of another kind")  # noqa: TRY004 - a bad document, not a bad call
    return key.public_bytes_raw()


def signature_holds(public_key: bytes, signature: str, *, purpose: str, seq: int, head: str, time: str) -> bool:
    """Say whether a signature is this key's, over this."""
    return text_signature_holds(public_key, signature, signed_text(purpose=purpose, seq=seq, head=head, time=time))


def text_signature_holds(public_key: bytes, signature: str, text: bytes) -> bool:
    """Say whether a signature is this key's, over this text."""
    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(raw, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _padded(key: bytes, byte: int) -> bytes:
    """Return a key as HMAC hashes it: filled up to a block of SHA-256, each byte combined with this one."""
    return bytes(each ^ byte for each in key.ljust(hashlib.sha256().block_size, b"\0"))


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
